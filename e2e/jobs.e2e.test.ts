import { expect } from 'chai';
import { demoPerson, send, type Answer } from './front-end.ts';
import { registerWorker, tokenOfWorker } from './registered-worker.ts';
import { useSuite } from './suite.ts';

const queue = 'reports';

describe('Jobs, through the gateway', () => {
  const suite = useSuite();
  let worker: string;

  before(async () => {
    worker = await tokenOfWorker(suite(), 'report-worker', await registerWorker(suite(), 'report-worker', queue));
  });

  const post = async (path: string, body: object, token = worker): Promise<Answer> =>
    await send(suite().url, 'POST', `/api/v1/jobs${path}`, { token, body: JSON.stringify(body) });
  const claim = async (body: object = {}) =>
    await post('/claim', { claim_id: crypto.randomUUID(), queues: [queue], worker: 'one', ...body });

  it('reach a worker that waits, and are completed', async () => {
    const waiting = claim({ wait: 20 });
    const manager = await demoPerson(suite(), 'manager');
    const enqueued = await post('', { queue, kind: 'render', payload: { user: 7 } }, manager.token);
    expect(enqueued.status).to.equal(201);
    const [job] = (await waiting).body.data as { id: string; payload: unknown; lease_token: string }[];
    expect(job).to.deep.include({ id: enqueued.body.id, payload: { user: 7 } });
    const completed = await post(`/${job?.id}/complete`, { lease_token: job?.lease_token, result: { rows: 3 } });
    expect([completed.status, completed.body.state]).to.deep.equal([200, 'succeeded']);
    const read = await send(suite().url, 'GET', `/api/v1/jobs/${job?.id}`, { token: manager.token });
    expect(read.body).to.deep.include({ state: 'succeeded', result: { rows: 3 } });
  });

  it('are refused to a worker of other queues, and to users', async () => {
    const other = await claim({ queues: ['mails'] });
    expect([other.status, other.body.code]).to.deep.equal([403, 'forbidden']);
    const { token } = await demoPerson(suite(), 'manager');
    const body = { claim_id: crypto.randomUUID(), queues: [queue], worker: 'one' };
    expect((await post('/claim', body, token)).status).to.equal(403);
    const member = await demoPerson(suite(), 'ann');
    expect((await post('', { queue, kind: 'render' }, member.token)).status).to.equal(403);
  });

  it('are refused for a queue that no client has, until a worker is registered for it', async () => {
    const { token } = await demoPerson(suite(), 'manager');
    const job = { queue: 'invoices', kind: 'render' };
    const refused = await post('', job, token);
    expect([refused.status, refused.body.code]).to.deep.equal([422, 'unknown_queue']);
    const message = 'is invoices, which is not the queue of a registered client';
    expect(refused.body.errors).to.deep.equal([{ field: 'queue', code: 'unknown_queue', message }]);
    await registerWorker(suite(), 'invoice-worker', 'invoices');
    expect((await post('', job, token)).status).to.equal(201);
  });

  it('pass in batches of up to 4 MiB', async () => {
    const jobs = Array.from({ length: 60 }, () => ({ queue, kind: 'render', payload: 'x'.repeat(60_000) }));
    expect((await post('/batch', { jobs })).status).to.equal(200);
    const large = await post('/batch', { jobs: [...jobs, ...jobs.slice(0, 15)] });
    expect([large.status, large.body.code]).to.deep.equal([413, 'payload_too_large']);
    const claimed = await claim({ limit: 100 });
    const items = (claimed.body.data as { lease_token: string }[]).map(({ lease_token }) => ({
      lease_token,
      complete: {},
    }));
    expect(items).to.have.length(60);
    expect((await post('/settle', { items })).status).to.equal(200);
  });
});
