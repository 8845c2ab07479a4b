import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JobAct } from '../../job-evidence.ts';
import type { FencedStore } from './fenced-store.ts';

/** A write of a worker process. `at` is when the process decided to write. */
export type StoreWrite = { jobId: string; fence: number; at: string; wasPaused: boolean };

/** `mayTakeLong`: the job may take longer than a lease; not towards the end of a run, which would have to wait for it. */
export type StoreAnswer = { accepted: boolean; mayTakeLong: boolean };

/** Serves a fenced store to worker processes, and records their writes in the order in which it decides them. */
export async function serveStore(o: {
  store: FencedStore;
  mayTakeLong(): boolean;
  record(act: JobAct): void;
}): Promise<{ url: string; close(): void }> {
  const server = createServer((incoming, response) => {
    const parts: Buffer[] = [];
    incoming.on('data', (part: Buffer) => parts.push(part));
    incoming.on('end', () => {
      const { jobId, fence, at, wasPaused } = JSON.parse(Buffer.concat(parts).toString()) as StoreWrite;
      const accepted = o.store.write(jobId, fence);
      o.record({ kind: 'write', at, jobId, fence, accepted, wasPaused });
      const answer: StoreAnswer = { accepted, mayTakeLong: o.mayTakeLong() };
      response.end(JSON.stringify(answer));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
