// worker-at-work.ts <url> <client id> <secret> <queue> <concurrency>: a worker for tests. It sends its parent `ready` and each job that starts, and ends jobs of the
// kind `wait` when the parent says so.
import { simulateWork } from '@taskwire/testing';
import { createWorker } from '@taskwire/worker';

const [url = '', clientId = '', credential = '', queue = '', concurrency] = process.argv.slice(2);

const running = createWorker({
  ...{ url, auth: { clientId, credential }, queues: [queue], concurrency: Number(concurrency) },
  ...{ leaseSeconds: 15, graceSeconds: 0 },
  async handler({ id, kind }, { fence, signal }) {
    process.send?.({ started: id, fence });
    if (kind !== 'wait') await simulateWork(500);
    else {
      await new Promise((resolve, reject) => {
        process.once('message', resolve);
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      });
    }
    return { fence };
  },
}).run();
process.send?.('ready');
await running;
