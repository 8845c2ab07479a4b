import { expect } from 'chai';
import { bearer, m2m, passwordSession, SignedOutError, Taskwire, type Tokens, type TokenStore } from '../src/index.ts';
import { failureOf } from './failure-of.ts';
import { cut, json, problem, silence, useServer, useShortPauses, type Handler } from './misbehaving-server.ts';

const id = '019a9d5e-71aa-7b3c-8d4e-5f6a7b8c9d0e';
const session = (number: number, expiresIn = 600) =>
  json(200, {
    access_token: `access-${number}`,
    refresh_token: `refresh-${number}`,
    expires_in: expiresIn,
    user: { name: 'Ann' },
  });
const task = json(200, { id });
const expired = problem(401, 'token_expired');
const refusingTheFirstToken: Handler = (request, response) => {
  const isExpired = request.headers.authorization === 'Bearer access-1';
  const answer = request.path.endsWith('/refresh') ? session(2) : isExpired ? expired : task;
  answer(request, response);
};

/** A store that tabs share. */
function sharedStore(): TokenStore & { kept: Tokens | undefined } {
  return {
    kept: undefined,
    load() {
      return this.kept;
    },
    save(tokens) {
      this.kept = tokens;
    },
    clear() {
      this.kept = undefined;
    },
  };
}

describe('A session with a password', () => {
  const server = useServer();
  useShortPauses();
  const started = (store?: TokenStore) => {
    let ends = 0;
    const auth = passwordSession({ onSignedOut: () => (ends += 1), ...(store === undefined ? {} : { store }) });
    const { tasks } = new Taskwire({ baseUrl: server.url, auth });
    return { auth, tasks, ends: () => ends };
  };
  const tokensSent = () => server.requests.flatMap(({ headers }) => headers.authorization ?? []);
  const refreshes = () => server.requests.filter(({ path }) => path.endsWith('/refresh'));

  it('logs in, and sends its token', async () => {
    server.answers(session(1), task);
    const { auth, tasks } = started();
    expect(await auth.login('ann@example.org', 'secret')).to.include({ name: 'Ann' });
    await tasks.get(id);
    expect(tokensSent()).to.deep.equal(['Bearer access-1']);
    expect(await auth.isSignedIn()).to.equal(true);
  });

  it('reports a wrong password as a problem, and is not signed in', async () => {
    server.answers(problem(401, 'invalid_credentials'));
    const { auth } = started();
    expect(await failureOf(auth.login('ann@example.org', 'x'))).to.include({
      code: 'invalid_credentials',
      operationId: 'login',
    });
    expect(await auth.isSignedIn()).to.equal(false);
  });

  it('renews once for all calls that wait, and repeats each refused call once, even one without a key', async () => {
    const { auth, tasks } = started();
    server.answers(session(1));
    await auth.login('ann@example.org', 'secret');
    server.answers(refusingTheFirstToken);
    await Promise.all(Array.from({ length: 5 }, () => tasks.get(id)));
    await tasks.change(id, { title: 'x' }, { ifMatch: '*' });
    expect(refreshes().map(({ body }) => body)).to.deep.equal(['{"refresh_token":"refresh-1"}']);
    expect(tokensSent().filter((sent) => sent === 'Bearer access-2')).to.have.lengthOf(6);
  });

  it('fails with the problem when the new token is refused too', async () => {
    server.answers(session(1), problem(401, 'access_revoked'), session(2), problem(401, 'access_revoked'));
    const { auth, tasks } = started();
    await auth.login('ann@example.org', 'secret');
    expect(await failureOf(tasks.get(id))).to.include({ status: 401, code: 'access_revoked', attempts: 2 });
  });

  it('renews at four fifths of the lifetime, by either clock', async () => {
    const { now: wallClock } = Date;
    try {
      for (const [passed, count] of [
        [79, 0],
        [81, 1],
      ] as const) {
        server.requests.length = 0;
        server.answers(session(1, 100), (request, response) =>
          (request.path.endsWith('/refresh') ? session(2) : task)(request, response),
        );
        const { auth, tasks } = started();
        await auth.login('ann@example.org', 'secret');
        Date.now = () => wallClock() + passed * 1000;
        await tasks.get(id);
        Date.now = wallClock;
        expect(refreshes(), `after ${passed} %`).to.have.lengthOf(count);
      }
      // a wall clock that is set back hides nothing
      server.requests.length = 0;
      server.answers(session(1, 0.01), (request, response) =>
        (request.path.endsWith('/refresh') ? session(2) : task)(request, response),
      );
      const { auth, tasks } = started();
      await auth.login('ann@example.org', 'secret');
      Date.now = () => wallClock() - 3_600_000;
      const passedMs = performance.now() + 10;
      while (performance.now() < passedMs) continue;
      await tasks.get(id);
      expect(refreshes()).to.have.lengthOf(1);
    } finally {
      Date.now = wallClock;
    }
  });

  it('repeats a refresh whose response was lost', async () => {
    server.answers(session(1), expired, cut, session(2), task);
    const { auth, tasks } = started();
    await auth.login('ann@example.org', 'secret');
    expect(await tasks.get(id)).to.include({ id });
    expect(refreshes()).to.have.lengthOf(2);
  });

  it('keeps a token that is still valid while Auth is down', async () => {
    const { now: wallClock } = Date;
    server.answers(session(1, 100), (request, response) =>
      (request.path.endsWith('/refresh') ? problem(503, 'unavailable') : task)(request, response),
    );
    const { auth, tasks, ends } = started();
    await auth.login('ann@example.org', 'secret');
    try {
      Date.now = () => wallClock() + 90_000;
      expect(await tasks.get(id)).to.include({ id });
      Date.now = () => wallClock() + 110_000;
      expect(await failureOf(tasks.get(id))).to.include({ code: 'unavailable', operationId: 'refresh' });
    } finally {
      Date.now = wallClock;
    }
    expect(ends(), 'the session has not ended').to.equal(0);
  });

  it('uses a token that is still valid while Auth hangs', async () => {
    const { now: wallClock } = Date;
    server.answers(session(1, 100), (request, response) =>
      (request.path.endsWith('/refresh') ? silence : task)(request, response),
    );
    const { auth, tasks } = started();
    await auth.login('ann@example.org', 'secret');
    try {
      Date.now = () => wallClock() + 90_000;
      const began = performance.now();
      expect(await tasks.get(id)).to.include({ id });
      // a request for tokens alone may take ten seconds
      expect(performance.now() - began).to.be.within(900, 9_000);
    } finally {
      Date.now = wallClock;
    }
    expect(tokensSent()).to.deep.equal(['Bearer access-1']);
  });

  it('clears its store and reports its end once when the refresh token is no longer valid', async () => {
    const store = sharedStore();
    server.answers(session(1));
    const { auth, tasks, ends } = started(store);
    await auth.login('ann@example.org', 'secret');
    server.answers((request, response) =>
      (request.path.endsWith('/refresh') ? problem(401, 'invalid_refresh_token') : expired)(request, response),
    );
    const errors = await Promise.all([failureOf(tasks.get(id)), failureOf(tasks.get(id)), failureOf(tasks.list())]);
    for (const error of errors) expect(error).to.be.instanceOf(SignedOutError);
    expect(await failureOf(tasks.get(id))).to.be.instanceOf(SignedOutError);
    expect(store.kept).to.equal(undefined);
    expect([ends(), refreshes().length]).to.deep.equal([1, 1]);
  });

  it('resumes from its store after a reload, and renews once for two tabs', async () => {
    const store = sharedStore();
    server.answers(session(1));
    await started(store).auth.login('ann@example.org', 'secret');
    // tabs are separate programs, which share a lock and a store
    let queue: Promise<unknown> = Promise.resolve();
    const locks = {
      request: (name: string, run: () => Promise<unknown>) => {
        expect(name).to.equal('taskwire.session');
        return (queue = queue.then(run, run));
      },
    };
    const described = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
    Object.defineProperty(globalThis, 'navigator', { configurable: true, value: { locks } });
    try {
      server.answers(refusingTheFirstToken);
      await Promise.all([started(store).tasks.get(id), started(store).tasks.get(id)]);
    } finally {
      if (described === undefined) Reflect.deleteProperty(globalThis, 'navigator');
      else Object.defineProperty(globalThis, 'navigator', described);
    }
    expect(refreshes()).to.have.lengthOf(1);
    expect(store.kept).to.include({ accessToken: 'access-2', refreshToken: 'refresh-2' });
  });

  it('ends at log-out, here and at Taskwire, without a report', async () => {
    server.answers(session(1), json(204, undefined));
    const { auth, tasks, ends } = started();
    await auth.login('ann@example.org', 'secret');
    await auth.logout();
    expect(server.requests[1]).to.include({ method: 'DELETE', path: '/api/v1/auth/logout' });
    expect(await failureOf(tasks.get(id))).to.be.instanceOf(SignedOutError);
    expect([await auth.isSignedIn(), ends()]).to.deep.equal([false, 0]);
  });
});

describe('A service with machine-to-machine tokens', () => {
  const server = useServer();
  useShortPauses();
  const options = { clientId: 'reports', resource: 'urn:taskwire:tasks', scope: 'tasks:read' };
  const token = json(200, { access_token: 'm2m-1', token_type: 'Bearer', expires_in: 600 });

  it('obtains one token with its secret, and keeps it', async () => {
    server.answers(token, task);
    const { internal } = new Taskwire({ baseUrl: server.url, auth: m2m({ ...options, credential: 's:1' }) });
    await internal.task(id);
    await internal.task(id);
    expect(server.requests.map(({ path }) => path)).to.deep.equal(['/oidc/token', `/tasks/${id}`, `/tasks/${id}`]);
    const [asked, used] = server.requests;
    expect(asked?.headers.authorization).to.equal(`Basic ${Buffer.from('reports:s%3A1').toString('base64')}`);
    expect(Object.fromEntries(new URLSearchParams(asked?.body))).to.deep.equal({
      ...{ grant_type: 'client_credentials', resource: 'urn:taskwire:tasks', scope: 'tasks:read' },
    });
    expect(used?.headers.authorization).to.equal('Bearer m2m-1');
  });

  it('sends a new assertion for each token, to the given issuer', async () => {
    server.answers(token, expired, token, task);
    let assertions = 0;
    const auth = m2m({ ...options, credential: () => `assertion-${++assertions}`, issuerOrigin: server.url });
    await new Taskwire({ baseUrl: server.url, auth }).internal.task(id);
    const sent = server.requests
      .filter(({ path }) => path === '/oidc/token')
      .map(({ body }) => new URLSearchParams(body));
    expect(sent.map((form) => form.get('client_assertion'))).to.deep.equal(['assertion-1', 'assertion-2']);
    expect(sent[0]?.get('client_id')).to.equal('reports');
  });

  it('reports a refusal of OAuth with its code', async () => {
    server.answers(json(401, { error: 'invalid_client', error_description: 'client authentication failed' }));
    const { internal } = new Taskwire({ baseUrl: server.url, auth: m2m({ ...options, credential: 'x' }) });
    expect(await failureOf(internal.task(id))).to.include({ code: 'invalid_client', status: 401 });
  });
});

describe('A bearer function', () => {
  const server = useServer();

  it('provides the token of each request, and a new one after a refusal', async () => {
    server.answers(expired, task);
    const asked: (string | undefined)[] = [];
    const auth = bearer((rejected) => {
      asked.push(rejected);
      return rejected === undefined ? 'old' : 'new';
    });
    await new Taskwire({ baseUrl: server.url, auth }).tasks.get(id);
    expect(asked).to.deep.equal([undefined, 'old']);
    expect(server.requests.map(({ headers }) => headers.authorization)).to.deep.equal(['Bearer old', 'Bearer new']);
  });
});
