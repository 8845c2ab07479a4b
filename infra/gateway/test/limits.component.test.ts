import type { ServerResponse } from 'node:http';
import { waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import { startGateway, type Answer, type TestGateway } from './gateway-harness.ts';

describe('The gateway with limits on rates and sizes', () => {
  let gateway: TestGateway;
  afterEach(() => gateway.stop());

  const send = (path: string, count: number): Promise<Answer[]> =>
    Promise.all(Array.from({ length: count }, () => gateway.send({ method: 'POST', path, body: '{}' })));
  const statuses = (answers: Answer[]) => answers.map(({ status }) => status).sort();

  it('responds with 429 as a problem with Retry-After beyond the rate and burst of an address', async () => {
    gateway = await startGateway({ requestsPerSecond: 1, burst: 3 });
    const answers = await send('/api/v1/tasks', 8);
    const refused = answers.filter(({ status }) => status === 429);
    expect(statuses(answers).slice(0, 4)).to.deep.equal([200, 200, 200, 200]);
    expect(refused.length).to.be.within(3, 4); // one more request may have been admitted after a second had passed
    expect(refused[0]?.headers).to.include({ 'retry-after': '1', 'content-type': 'application/problem+json' });
    expect(JSON.parse(refused[0]?.text ?? '')).to.deep.equal({
      type: '/docs/problems#rate_limited',
      title: 'Too many requests',
      status: 429,
      detail: 'Wait as long as Retry-After says, then try again.',
      code: 'rate_limited',
      request_id: refused[0]?.headers['x-request-id'],
    });
  });

  const guessable = [
    '/api/v1/auth/login',
    '/api/v1/auth/register',
    '/api/v1/auth/refresh',
    '/oidc/token',
    '/oidc/account/reset',
    '/api/v1/auth/forgot_password',
    '/api/v1/auth/reset_password',
    '/api/v1/auth/change_password',
    '/api/v1/auth/verify_email',
    '/api/v1/auth/verify_email/request',
    '/api/v1/auth/confirm_email',
    '/api/v1/auth/undo_email',
    // Auth of release 0.3.0 treats these as the same path
    '/api/v1/auth/LOGIN',
    '/api/v1/auth/login/',
    '/api/v1/auth/lo%67in',
  ];
  for (const path of guessable) {
    it(`is stricter with ${path}`, async () => {
      gateway = await startGateway({ loginsPerMinute: 6, loginBurst: 2 });
      const answers = await send(path, 5);
      expect(statuses(answers)).to.deep.equal([200, 200, 200, 429, 429]);
      expect(answers.find(({ status }) => status === 429)?.headers).to.include({ 'retry-after': '10' });
    });
  }

  it('keeps serving other requests of an address that has logged in too often', async () => {
    gateway = await startGateway({ loginsPerMinute: 6, loginBurst: 1 });
    expect(statuses(await send('/api/v1/auth/login', 3))).to.deep.equal([200, 200, 429]);
    expect(statuses(await send('/api/v1/tasks', 10))).to.deep.equal(Array(10).fill(200));
  });

  it('leaves the Retry-After of a service unchanged', async () => {
    gateway = await startGateway({
      services: { tasks: (_, response) => response.writeHead(429, { 'Retry-After': '77' }).end('{"code":"own"}') },
    });
    const [answer] = await send('/api/v1/tasks', 1);
    expect(answer).to.include({ status: 429, text: '{"code":"own"}' });
    expect(answer?.headers['retry-after']).to.equal('77');
  });

  it('gives a read of a job that waits the time that it may wait, and counts it as a stream', async () => {
    const job = '/api/v1/jobs/01a227d8-4e4d-7fec-92a2-0b6b0bc58fd6';
    const silent = '/api/v1/jobs/01a227d8-4e4d-7fec-92a2-0b6b0bc58fd7';
    const held: ServerResponse[] = [];
    gateway = await startGateway({
      streams: 1,
      readTimeoutSeconds: 1,
      services: {
        tasks: ({ url = '' }, response) => {
          if (url.includes('wait')) held.push(response);
          else if (url === job) response.end('{}');
        },
      },
    });
    const waiting = gateway.send({ path: `${job}?wait=25` });
    await waitFor(async () => held.length === 1);
    const others = [job, `${job}?wait=25`, '/api/v1/sync/tasks?wait=25', silent];
    const answers = await Promise.all(others.map(async (path) => await gateway.send({ path })));
    expect(answers.map(({ status }) => status)).to.deep.equal([200, 429, 429, 504]);
    // it has waited for longer than the read that got 504
    held[0]?.end('{}');
    expect((await waiting).status).to.equal(200);
    const waits = (await gateway.log()).filter(({ status }) => status === 200).map((line) => line.waits);
    expect(waits.slice(0, 2)).to.deep.equal(['', '1']);
  });

  it('counts a request either as running or as a stream, also for one path', async () => {
    const held: ServerResponse[] = [];
    gateway = await startGateway({
      ...{ running: 1, streams: 1 },
      services: { tasks: (_, response) => void held.push(response) },
    });
    const job = '/api/v1/jobs/01a227d8-4e4d-7fec-92a2-0b6b0bc58fd6';
    const admitted = [job, `${job}?wait=25`].map(async (path) => await gateway.send({ path }));
    await waitFor(async () => held.length === 2);
    const others = [job, `${job}?wait=25`, '/api/v1/tasks', '/api/v1/jobs/claim'];
    const refused = await Promise.all(others.map(async (path) => await gateway.send({ path })));
    expect(statuses(refused)).to.deep.equal([429, 429, 429, 429]);
    for (const response of held) response.end('{}');
    expect(statuses(await Promise.all(admitted))).to.deep.equal([200, 200]);
  });

  const largest: [string, number][] = [
    ['/api/v1/auth/login', 16],
    ['/oidc/token', 16],
    ['/oidc/interaction/abc', 16],
    ['/api/v1/tasks', 520],
    ['/api/v1/users', 64],
    ['/api/v1/notifications/read_all', 64],
  ];
  for (const [path, kib] of largest) {
    it(`accepts a body of ${kib} KiB at ${path} and refuses a larger one, announced or in chunks`, async () => {
      gateway = await startGateway();
      const body = Buffer.alloc(kib * 1024, 'a');
      expect((await gateway.send({ method: 'POST', path, body })).status).to.equal(200);
      for (const headers of [{}, { 'Transfer-Encoding': 'chunked' }]) {
        const larger = Buffer.concat([body, Buffer.from('b')]);
        const answer = await gateway.send({ method: 'POST', path, headers, body: larger });
        expect(answer.status).to.equal(413);
        const problem = JSON.parse(answer.text) as { code: string; detail: string };
        expect(problem).to.include({ code: 'payload_too_large', status: 413 });
        expect(problem.detail).to.include(`${kib * 1024}`);
      }
    });
  }
});
