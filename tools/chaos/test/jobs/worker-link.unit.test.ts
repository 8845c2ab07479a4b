import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import type { JobAct } from '../../job-evidence.ts';
import { createRandom } from '../../random.ts';
import { startWorkerLink, type WorkerLink } from '../../workload/jobs/worker-link.ts';
import type { SilentJobs } from '../../workload/jobs/worker.ts';

const token = 'job-1.7';
const expiresAt = '2026-11-20T10:00:15.000000Z';

describe('the link of a worker process', () => {
  let gateway: Server;
  let link: WorkerLink;
  let acts: JobAct[];
  let received: string[];
  let silent: SilentJobs;
  let stopping: AbortController;
  /** The items of responses, by operation. */
  let answers: Record<string, object>;

  beforeEach(async () => {
    [acts, received, silent, stopping] = [[], [], new Map(), new AbortController()];
    const job = { id: 'job-1', fence: 7, lease_token: token, lease_expires_at: expiresAt, payload: { name: 'j1' } };
    answers = {
      claim: job,
      heartbeat: { lease_token: token, outcome: 'extended', lease_expires_at: expiresAt },
      settle: { lease_token: token, outcome: 'settled', state: 'dead' },
    };
    gateway = createServer((incoming, response) => {
      const operation = incoming.url?.split('/').at(-1) ?? '';
      received.push(`${operation} from ${String(incoming.headers['x-forwarded-for'])}`);
      incoming.resume();
      response.setHeader('retry-after', '2').end(JSON.stringify({ data: [answers[operation]] }));
    });
    await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`;
    // never draws a lost response
    const random = { ...createRandom('link'), chance: () => false, between: (low: number) => low };
    link = await startWorkerLink({
      ...{ url, ip: '10.2.2.1', worker: 'worker process 1', random, silent, stopping: stopping.signal },
      record: (act) => void acts.push(act),
      onDead: (jobId) => void received.push(`${jobId} is dead`),
    });
  });
  afterEach(async () => {
    stopping.abort();
    await link.close();
    gateway.closeAllConnections();
    gateway.close();
  });

  const ask = async (operation: string, body: object) =>
    await fetch(`${link.url}/api/v1/jobs/${operation}`, { method: 'POST', body: JSON.stringify(body) });
  const claim = async () => await ask('claim', { claim_id: 'c' });
  const complete = async () => await ask('settle', { items: [{ lease_token: token, complete: {} }] });

  it('passes requests on from the address of the worker, and records what they ask and are answered', async () => {
    const response = await claim();
    expect([response.status, response.headers.get('retry-after')]).deep.equal([200, '2']);
    expect(await response.json()).deep.equal({ data: [answers['claim']] });
    expect(link.counts()).deep.equal({ leases: 1, held: 0 });
    await ask('heartbeat', { leases: [{ lease_token: token }] });
    await complete();
    expect(link.counts().leases).equal(0);
    expect(acts.map(({ kind }) => kind)).deep.equal(['lease', 'heartbeat', 'settle']);
    expect(acts[0]).deep.include({ worker: 'worker process 1', jobId: 'job-1', fence: 7, name: 'j1', expiresAt });
    expect(acts[1]).deep.include({ fence: 7, expiresAt });
    expect(acts[2]).deep.include({ jobId: 'job-1', fence: 7, ending: 'completed', outcome: 'settled', state: 'dead' });
    expect(received).deep.equal([
      ...['claim', 'heartbeat', 'settle'].map((one) => `${one} from 10.2.2.1`),
      'job-1 is dead',
    ]);
  });

  it('records a settlement that is refused, and one without a response', async () => {
    await claim();
    answers['settle'] = { lease_token: token, outcome: 'lease_lost' };
    await complete();
    gateway.closeAllConnections();
    await new Promise((closed) => gateway.close(closed));
    await complete().catch(() => undefined);
    const settled = acts.filter((act) => act.kind === 'settle').map(({ outcome }) => outcome);
    expect(settled).deep.equal(['lease_lost', 'unknown']);
  });

  it('lets nothing pass while it is cut', async () => {
    link.setCut(true);
    expect(await claim().catch(() => 'failed')).equal('failed');
    expect(received).deep.equal([]);
    link.setCut(false);
    expect((await claim()).status).equal(200);
  });

  it('holds a settlement back until its job is leased again, although its worker is gone', async () => {
    await claim();
    const letPass = link.holdSettlements();
    const settling = complete();
    while (link.counts().held === 0) await new Promise((resolve) => setImmediate(resolve));
    letPass();
    expect(received).deep.equal(['claim from 10.2.2.1']);
    silent.get('job-1')!.abort();
    await settling;
    expect(received).include('settle from 10.2.2.1');
    expect(silent.size).equal(0);
  });
});
