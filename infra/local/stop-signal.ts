/**
 * Calls `stop` once, at the first SIGINT, SIGTERM or SIGHUP, or when the parent process has ended without a signal (-9). Later signals are ignored: a
 * Ctrl-C reaches every process of the terminal and is also forwarded.
 */
export function onStopSignal(stop: (reason: string) => void): void {
  let stopped = false;
  const once = (reason: string) => {
    if (stopped) return;
    stopped = true;
    stop(reason);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => once(signal));
  const starter = process.env.TASKWIRE_BOOTSTRAP;
  if (starter === undefined) return;
  setInterval(() => {
    if (process.ppid !== Number(starter)) once('the parent process has ended');
  }, 500).unref();
}
