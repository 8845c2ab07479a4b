import { expect } from 'chai';
import { operations } from '../src/generated/operations.ts';
import { bearer, isProblem, ProblemError, Taskwire } from '../src/index.ts';
import { failureOf } from './failure-of.ts';
import { json, problem, useServer, useShortPauses } from './misbehaving-server.ts';

const id = '019a9d5e-71aa-7b3c-8d4e-5f6a7b8c9d0e';

describe('A call', () => {
  const server = useServer();
  useShortPauses();
  const client = () => new Taskwire({ baseUrl: `${server.url}/`, auth: bearer(() => 'a-token') });

  it('sends method, path, body, token and one key, and returns the value', async () => {
    server.answers(json(201, { id, title: 'Paint' }));
    const task = await client().tasks.create({ title: 'Paint' });
    expect(task).to.include({ id, title: 'Paint' });
    const [request] = server.requests;
    expect(request).to.include({ method: 'POST', path: '/api/v1/tasks', body: '{"title":"Paint"}' });
    expect(request?.headers).to.include({ authorization: 'Bearer a-token', 'content-type': 'application/json' });
    expect(request?.headers['idempotency-key']).to.match(
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
  });

  it('returns ETag, request id, number of attempts and whether it is a replay with the value', async () => {
    const headers = { etag: '"1-abc"', 'x-request-id': 'r1', 'idempotency-replayed': 'true' };
    server.answers(problem(503, 'unavailable'), json(201, { id }, headers));
    const { value, ...facts } = await client().tasks.create({ title: 'Paint' }).withResponse();
    expect(value.id).to.equal(id);
    expect(facts).to.deep.equal({ etag: '"1-abc"', requestId: 'r1', attempts: 2, replayed: true });
  });

  it('encodes path parameters and the query, repeats arrays, and omits missing parameters', async () => {
    server.answers(json(200, { data: [], next_cursor: null }));
    await client().tasks.activity('a/b?', { limit: 5 });
    const cursor: string | undefined = undefined;
    await client().users.list({ q: 'a&b', ...(cursor === undefined ? {} : { cursor }) });
    await client().tasks.list({ label: ['a, b', 'c'], label_all: 'd' });
    expect(server.requests.map(({ path }) => path)).to.deep.equal([
      '/api/v1/tasks/a%2Fb%3F/activity?limit=5',
      '/api/v1/users?q=a%26b',
      '/api/v1/tasks?label=a%2C+b&label=c&label_all=d',
    ]);
  });

  it('sends the given key, and the version as an ETag, a number or a star', async () => {
    server.answers(json(200, { id }));
    await client().tasks.assign(id, { assign: 'random' }, { idempotencyKey: 'mine', ifMatch: '"3-abc"' });
    await client().tasks.change(id, { title: 'x' }, { ifMatch: 4 });
    await client().tasks.change(id, { title: 'x' }, { ifMatch: '*' });
    expect(server.requests[0]?.headers['idempotency-key']).to.equal('mine');
    expect(server.requests.map(({ headers }) => headers['if-match'])).to.deep.equal(['"3-abc"', '"4"', '*']);
  });

  it('takes an optional body among its options', async () => {
    server.answers(json(204, undefined));
    const gone = await client().users.delete(id, { ifMatch: 2, body: { current_password: 'secret' } });
    expect(gone).to.equal(undefined);
    expect(server.requests[0]?.body).to.equal('{"current_password":"secret"}');
  });

  it('sends no token to an operation that is open to anyone', async () => {
    server.answers(json(200, {}));
    await client().auth.login({ email: 'a@example.org', password: 'x' });
    expect(server.requests[0]?.headers).not.to.have.property('authorization');
  });

  it('passes on enum values and fields that it does not know', async () => {
    server.answers(json(200, { id, state: 'frozen', colour: 'red' }));
    const task = await client().tasks.get(id);
    expect(task).to.deep.equal({ id, state: 'frozen', colour: 'red' });
    expect(task.state === 'draft').to.equal(false);
  });

  it('is described by an immutable table', () => {
    const create = operations['tasks']?.['create'];
    expect(create).to.deep.include({ id: 'createTask', method: 'POST', idempotent: true, status: 201 });
    expect([operations, operations['tasks'], create].every((part) => Object.isFrozen(part))).to.equal(true);
  });
});

describe('The error of a call', () => {
  const server = useServer();
  useShortPauses();
  const client = () => new Taskwire({ baseUrl: server.url });

  it('carries the problem, the request id and the number of attempts', async () => {
    const errors = [{ field: 'title', code: 'too_small', message: 'must not be empty' }];
    const document = {
      title: 'Validation failed',
      status: 422,
      detail: 'The title is empty.',
      code: 'invalid_input',
      errors,
    };
    server.answers(json(422, document, { 'x-request-id': 'r7' }));
    const error = await failureOf(client().tasks.create({ title: '' }));
    expect(error).to.be.instanceOf(ProblemError);
    expect(error).to.deep.include({
      ...document,
      requestId: 'r7',
      attempts: 1,
      operationId: 'createTask',
      outcome: 'not_applied',
    });
  });

  it('is narrowed by a code, and by a code of its operation', async () => {
    server.answers(problem(422, 'illegal_transition'));
    const error = await failureOf(client().tasks.transition(id, { state: 'completed' }));
    expect(isProblem(error, 'illegal_transition')).to.equal(true);
    expect(isProblem(error, 'transitionTask', 'illegal_transition')).to.equal(true);
    expect(isProblem(error, 'assignTask', 'illegal_transition')).to.equal(false);
    expect(isProblem(error, 'not_found')).to.equal(false);
    // @ts-expect-error -- the operation never returns this code
    expect(isProblem(error, 'transitionTask', 'email_taken')).to.equal(false);
  });

  it('is a problem even for the HTML page of a proxy', async () => {
    server.answers((_, response) =>
      response.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad Gateway</h1>'),
    );
    const error = await failureOf(client().tasks.get(id, { maxRetries: 0 }));
    expect(error).to.be.instanceOf(ProblemError).and.include({ status: 502, code: 'bad_gateway' });
  });

  it('contains the time to wait, from seconds or a date', async () => {
    server.answers(problem(429, 'rate_limited', { 'retry-after': '3' }));
    expect(await failureOf(client().tasks.get(id, { maxRetries: 0 }))).to.include({ retryAfterMs: 3000 });
    server.answers(problem(429, 'rate_limited', { 'retry-after': new Date(Date.now() + 90_000).toUTCString() }));
    const { retryAfterMs } = (await failureOf(client().tasks.get(id))) as ProblemError;
    expect(retryAfterMs).to.be.within(80_000, 90_000);
  });

  it("is reported for a success that is not Taskwire's, such as the page of a hotel network, and for a redirect", async () => {
    server.answers((_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Welcome</h1>'));
    expect(await failureOf(client().tasks.delete(id, { ifMatch: 1 }))).to.include({
      code: 'unexpected_answer',
      status: 200,
    });
    expect(await failureOf(client().tasks.get(id))).to.include({ name: 'ConnectionError', attempts: 3 });
    server.answers((_, response) => response.writeHead(302, { location: '/elsewhere' }).end());
    expect(await failureOf(client().tasks.create({ title: 'x' }))).to.include({
      code: 'unexpected_answer',
      status: 302,
    });
  });
});
