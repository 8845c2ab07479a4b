import { errorText } from '@taskwire/errors';
import type { Telemetry } from '@taskwire/telemetry';

/** A long-lived part of a process. `start` resolves when the component works. `stop` drains it, and may be called at any time, more than once. */
export type Component = { name: string; start(): Promise<void>; stop(): Promise<void> };

export type ProcessOptions = {
  /** The components in start order. They stop in reverse order, so that dependencies stop last. */
  components: readonly Component[];
  /** Its shutdown comes last. */
  telemetry: Pick<Telemetry, 'logger' | 'reportError' | 'shutdown'>;
  /** How long all stops together may take, in milliseconds. After that the process ends with code 1, even if components still run. */
  shutdownTimeoutMs: number;
  /** The source of SIGTERM, SIGINT and uncaught errors; injected by tests. */
  signals?: Pick<NodeJS.EventEmitter, 'on'>;
  exit?: (code: number) => void;
};

/**
 * Runs the components until a signal arrives. If one fails to start, the components started so far are stopped, and the process ends with code 1.
 * After an uncaught error, the state of the process is unknown: the error is logged and reported, all components are stopped, and the exit code is 1. A second
 * signal ends the process at once.
 */
export async function runProcess(options: ProcessOptions): Promise<void> {
  const { components, telemetry, shutdownTimeoutMs } = options;
  const { logger } = telemetry;
  const signals = options.signals ?? process;
  const exit = options.exit ?? ((code: number) => process.exit(code));
  const started: Component[] = [];
  let stopping: Promise<void> | undefined;

  async function stopAll(code: number): Promise<void> {
    const timer = setTimeout(() => {
      logger.error('did not stop in time', { shutdown_timeout_ms: shutdownTimeoutMs });
      exit(1);
    }, shutdownTimeoutMs);
    let result = code;
    for (const component of started.toReversed()) {
      try {
        await component.stop();
      } catch (error) {
        result = 1;
        logger.error(`${component.name} did not stop cleanly`, { error: errorText(error) });
      }
    }
    logger.info('stopped');
    await telemetry.shutdown();
    clearTimeout(timer);
    exit(result);
  }

  function stop(code: number, reason: string): Promise<void> {
    if (stopping !== undefined) {
      exit(1);
      return stopping;
    }
    logger.info(`stopping: ${reason}`);
    stopping = stopAll(code);
    return stopping;
  }

  for (const signal of ['SIGTERM', 'SIGINT']) signals.on(signal, () => void stop(0, signal));
  for (const kind of ['uncaughtException', 'unhandledRejection']) {
    signals.on(kind, (error: unknown) => {
      logger.error(`uncaught exception (${kind})`, { error });
      telemetry.reportError({ kind: 'uncaught', error, tags: { code: kind } });
      if (stopping === undefined) void stop(1, kind);
    });
  }

  for (const component of components) {
    if (stopping !== undefined) return;
    try {
      started.push(component);
      await component.start();
    } catch (error) {
      logger.error(`${component.name} could not start`, { error: errorText(error) });
      await stop(1, `${component.name} could not start`);
      return;
    }
  }
  if (stopping === undefined) logger.info('started', { components: components.map((component) => component.name) });
}
