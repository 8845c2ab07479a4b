import { createServer, type AddressInfo } from 'node:net';
import { expect } from 'chai';
import { ConnectionError, Taskwire } from '../src/index.ts';
import { pauseMs, RetryBudget } from '../src/retry.ts';
import { failureOf } from './failure-of.ts';
import { cut, halfAnswer, json, problem, useServer, useShortPauses } from './misbehaving-server.ts';

const id = '019a9d5e-71aa-7b3c-8d4e-5f6a7b8c9d0e';
const conflict = { ifMatch: '"3-x"' };

describe('Retries', () => {
  const server = useServer();
  useShortPauses();
  const client = () => new Taskwire({ baseUrl: server.url });

  for (const [name, fault] of Object.entries({
    'a cut connection': cut,
    'a cut body': halfAnswer(200, { id, title: 'Paint the fence' }),
    'status 408': problem(408, 'request_timeout'),
    'status 429': problem(429, 'rate_limited'),
    'status 502': problem(502, 'bad_gateway'),
    'status 503': problem(503, 'unavailable'),
    'status 504': problem(504, 'timeout'),
    'a request with the same key in progress': problem(409, 'idempotency_in_progress'),
  })) {
    it(`follow ${name}, twice`, async () => {
      server.answers(fault, fault, json(200, { id }));
      const { value, attempts } = await client().tasks.assign(id, { assign: 'random' }).withResponse();
      expect(value.id).to.equal(id);
      expect(attempts).to.equal(3);
      const keys = server.requests.map(({ headers }) => headers['idempotency-key']);
      expect(new Set(keys), 'one key for all attempts').to.have.lengthOf(1);
    });
  }

  it('follow a refused connection, even for a read', async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    const { tasks } = new Taskwire({ baseUrl: `http://127.0.0.1:${port}` });
    expect(await failureOf(tasks.get(id)))
      .to.be.instanceOf(ConnectionError)
      .and.include({ attempts: 3 });
    expect(await failureOf(tasks.create({ title: 'a' })))
      .to.be.instanceOf(ConnectionError)
      .and.include({ attempts: 3 });
  });

  it('use another key for another call', async () => {
    server.answers(json(201, { id }));
    const tasks = client().tasks;
    await tasks.create({ title: 'a' });
    await tasks.create({ title: 'a' });
    expect(server.requests[0]?.headers['idempotency-key']).not.to.equal(server.requests[1]?.headers['idempotency-key']);
  });

  for (const [status, code] of [
    [409, 'conflict'],
    [409, 'last_admin'],
    [500, 'internal'],
    [422, 'invalid_input'],
    [404, 'not_found'],
  ] as const) {
    it(`never follow ${status} ${code}`, async () => {
      server.answers(problem(status, code));
      expect(await failureOf(client().tasks.create({ title: 'x' }))).to.include({ status, code, attempts: 1 });
      expect(server.requests).to.have.lengthOf(1);
    });
  }

  it('repeat a POST only with a key or if it is repeatable', async () => {
    server.answers(problem(503, 'unavailable'));
    expect(await failureOf(client().users.restore(id))).to.include({ attempts: 1, outcome: 'unknown' });
    expect(await failureOf(client().notifications.readAll())).to.include({ attempts: 1 });
    expect(await failureOf(client().notifications.read(id))).to.include({ attempts: 3 });
    expect(await failureOf(client().tasks.shuffle())).to.include({ attempts: 3 });
  });

  it('repeat a PATCH and a DELETE only with one version in If-Match', async () => {
    server.answers(problem(503, 'unavailable'));
    const { tasks, sessions } = client();
    expect(await failureOf(tasks.change(id, { title: 'x' }, { ifMatch: '*' }))).to.include({ attempts: 1 });
    expect(await failureOf(tasks.delete(id, { ifMatch: '"1", "2"' }))).to.include({ attempts: 1 });
    expect(await failureOf(sessions.end(id))).to.include({ attempts: 1 });
    expect(await failureOf(tasks.change(id, { title: 'x' }, conflict))).to.include({ attempts: 3 });
    expect(await failureOf(tasks.delete(id, conflict))).to.include({ attempts: 3 });
  });

  it('end with the last failure, which says that the outcome of a change is unknown', async () => {
    server.answers(cut);
    const change = await failureOf(client().tasks.create({ title: 'x' }));
    expect(change)
      .to.be.instanceOf(ConnectionError)
      .and.include({ attempts: 3, outcome: 'unknown', operationId: 'createTask' });
    const read = await failureOf(client().tasks.get(id));
    expect(read).to.be.instanceOf(ConnectionError).and.include({ attempts: 3, outcome: 'not_applied' });
  });

  it('can be switched off for a client and for a call', async () => {
    server.answers(problem(503, 'unavailable'));
    const { tasks } = new Taskwire({ baseUrl: server.url, maxRetries: 0 });
    expect(await failureOf(tasks.get(id))).to.include({ attempts: 1 });
    expect(await failureOf(tasks.get(id, { maxRetries: 1 }))).to.include({ attempts: 2 });
  });

  it('wait as long as Retry-After says, but not for more than a minute', async () => {
    server.answers(problem(503, 'unavailable', { 'retry-after': '1' }), json(200, { id }));
    await client().tasks.get(id);
    const [first, second] = server.requests;
    expect((second?.at ?? 0) - (first?.at ?? 0)).to.be.at.least(990);
    server.answers(problem(429, 'rate_limited', { 'retry-after': '61' }));
    expect(await failureOf(client().tasks.get(id))).to.include({ attempts: 1, retryAfterMs: 61_000 });
  });

  it('stop when most calls fail, and start again when calls succeed', async () => {
    server.answers(problem(503, 'unavailable'));
    const { tasks } = client();
    for (let call = 0; call < 55; call++) await failureOf(tasks.get(id));
    // a hundred retries, not 110
    expect(server.requests).to.have.lengthOf(155);
    server.answers(json(200, { id }));
    for (let call = 0; call < 5; call++) await tasks.get(id);
    server.answers(problem(503, 'unavailable'), json(200, { id }));
    expect((await tasks.get(id).withResponse()).attempts).to.equal(2);
  });
});

describe('The pause before a retry', () => {
  it('is random, below a limit that doubles from half a second to eight', () => {
    const most = [0, 1, 2, 3, 4, 5, 9].map((retries) => pauseMs(retries, undefined, undefined, () => 1));
    expect(most).to.deep.equal([500, 1000, 2000, 4000, 8000, 8000, 8000]);
    expect(pauseMs(3, undefined, undefined, () => 0)).to.equal(0);
    expect(pauseMs(3, undefined, undefined, () => 0.5)).to.equal(2000);
  });

  it('has the limits of its caller', () => {
    const pauses = { firstMs: 100, longestMs: 300 };
    expect([0, 1, 2].map((retries) => pauseMs(retries, undefined, pauses, () => 1))).to.deep.equal([100, 200, 300]);
  });

  it('is never shorter than the server asks for, up to a minute', () => {
    expect(pauseMs(0, 2000, undefined, () => 0)).to.equal(2000);
    expect(pauseMs(0, 2000, undefined, () => 1)).to.equal(2500);
    expect(pauseMs(0, 3_600_000, undefined, () => 0)).to.equal(60_000);
  });
});

describe('The budget of retries', () => {
  it('is refunded by the success of the call that spent it', () => {
    const budget = new RetryBudget();
    for (let call = 0; call < 1000; call++) {
      expect([budget.take(), budget.take()]).to.deep.equal([true, true]);
      budget.refund(2);
    }
  });
});
