// worker-process.ts <settings as JSON>: a worker in a separate process. The payload says what the handler does.
import { workerWith } from '../src/worker.ts';
import type { JobContext } from '../src/index.ts';
import type { Settings } from '../src/settings.ts';

const settings = JSON.parse(process.argv[2] ?? '') as Settings;

/** Keeps the event loop busy. */
function spin(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

async function handler(
  { payload }: { payload: { spinMs?: number; endsAfterSignal?: boolean } },
  { signal }: JobContext,
) {
  if (payload.spinMs !== undefined) return spin(payload.spinMs);
  if (payload.endsAfterSignal === true)
    return await new Promise<void>((resolve) => process.once('SIGTERM', () => resolve()));
  await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
}

const auth = { clientId: 'reports', credential: 'secret' };
await workerWith<never>({ url: settings.url, auth, queues: settings.queues, handler }, settings).run();
