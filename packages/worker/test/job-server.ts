import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The fault of a request: it takes effect but its response is lost or never sent, it is lost itself, it never gets a response, or it is refused. */
export type Fault = 'answer lost' | 'answer withheld' | 'request lost' | 'silence' | { status: number; code: string };

type Item = { lease_token: string } & Record<string, unknown>;
/** The body of a request; each operation has some of its fields. */
type Body = {
  claim_id: string;
  limit: number;
  wait: number;
  leases: { lease_token: string; progress?: unknown }[];
  items: Item[];
};

export type Request = { operation: string; body: Body; token: string | undefined; at: number };

type FakeJob = {
  id: string;
  payload: unknown;
  state: string;
  attempt: number;
  fence: number;
  endsAt: number;
  cancelRequested: boolean;
  progress: unknown[];
  endings: unknown[];
};

/** Jobs as Tasks keeps them, in memory and over HTTP: leases with fences, repeatable claims and settlements. */
export type JobServer = {
  url: string;
  jobs: FakeJob[];
  requests: Request[];
  /** The maximum number of leases at a time. */
  mostLeased: number;
  leaseMs: number;
  /** Chooses the fault of a request. */
  fault: (request: Request) => Fault | undefined;
  accepts: (token: string | undefined) => boolean;
  enqueue(count?: number, payload?: unknown): FakeJob[];
  requestsOf(operation: string): Request[];
  /** Resolves when a condition holds; it is checked after each request. */
  until(condition: () => boolean): Promise<void>;
};

const now = () => performance.now();

/** A server for the tests of the enclosing `describe`, empty before each test. */
export function useJobServer(): JobServer {
  const claims = new Map<string, string[]>();
  const answers = new Map<string, object>();
  let fences = 0;
  let waiting: (() => void)[] = [];
  let watching: (() => void)[] = [];
  const state: JobServer = {
    ...{ url: '', jobs: [], requests: [], mostLeased: 0, leaseMs: 2_400, fault: () => undefined, accepts: () => true },
    enqueue(count = 1, payload = {}) {
      const added = Array.from({ length: count }, () => ({
        ...{ id: randomUUID(), payload, state: 'queued', attempt: 0, fence: 0, endsAt: 0, cancelRequested: false },
        ...{ progress: [], endings: [] },
      }));
      state.jobs.push(...added);
      wake();
      return added;
    },
    requestsOf: (operation) => state.requests.filter((request) => request.operation === operation),
    async until(condition) {
      while (!condition()) await new Promise<void>((resolve) => watching.push(resolve));
    },
  };
  const wake = () => {
    for (const run of waiting.splice(0)) run();
  };
  const tokenOf = ({ id, fence }: FakeJob) => `${id}.${fence}`;
  const reap = () => {
    for (const job of state.jobs)
      if (job.state === 'leased' && job.endsAt <= now()) Object.assign(job, { state: 'queued', fence: 0 });
  };
  const held = (token: string) => {
    reap();
    return state.jobs.find((job) => job.state === 'leased' && tokenOf(job) === token);
  };
  const claimed = (job: FakeJob) => {
    const { id, payload, attempt, fence, endsAt } = job;
    const times = {
      lease_ms: Math.floor(endsAt - now()),
      lease_expires_at: '2026-01-01T00:00:00.000000Z',
      deadline: null,
    };
    return {
      ...{ id, payload, attempt, fence },
      queue: 'reports',
      kind: 'report',
      lease_token: tokenOf(job),
      ...times,
    };
  };

  async function claim(body: Body, response: ServerResponse): Promise<object> {
    const until = now() + body.wait * 1_000;
    let isClosed = false;
    response.on('close', () => {
      isClosed = true;
      wake();
    });
    for (;;) {
      reap();
      const known = claims.get(body.claim_id)?.flatMap((token) => held(token) ?? []) ?? [];
      if (known.length > 0) return { data: known.map(claimed) };
      const found = isClosed ? [] : state.jobs.filter((job) => job.state === 'queued').slice(0, body.limit);
      for (const job of found)
        Object.assign(job, {
          state: 'leased',
          fence: ++fences,
          attempt: job.attempt + 1,
          endsAt: now() + state.leaseMs,
        });
      claims.set(body.claim_id, found.map(tokenOf));
      state.mostLeased = Math.max(state.mostLeased, state.jobs.filter((job) => job.state === 'leased').length);
      if (found.length > 0 || isClosed || now() >= until) return { data: found.map(claimed) };
      const timer = setTimeout(wake, Math.min(100, until - now()));
      await new Promise<void>((resolve) => waiting.push(resolve));
      clearTimeout(timer);
    }
  }

  const heartbeat = ({ leases }: Body) => ({
    data: leases.map(({ lease_token, progress }) => {
      const job = held(lease_token);
      if (job === undefined) return { lease_token, outcome: 'lease_lost' };
      job.endsAt = now() + state.leaseMs;
      if (progress !== undefined) job.progress.push(progress);
      return { lease_token, outcome: 'extended', lease_ms: state.leaseMs, cancel_requested: job.cancelRequested };
    }),
  });

  const settle = ({ items }: Body) => ({
    data: items.map(({ lease_token, ...ending }) => {
      const job = held(lease_token);
      const known = answers.get(lease_token + Object.keys(ending)[0]);
      if (job === undefined) return known ?? { lease_token, outcome: 'lease_lost' };
      job.endings.push(ending);
      const next = 'complete' in ending ? 'succeeded' : 'release' in ending ? 'queued' : 'scheduled';
      Object.assign(job, { state: job.cancelRequested && next !== 'succeeded' ? 'cancelled' : next, fence: 0 });
      const answer = { lease_token, outcome: 'settled', state: job.state, run_at: '2026-01-01T00:00:00.000000Z' };
      answers.set(lease_token + Object.keys(ending)[0], answer);
      return answer;
    }),
  });

  async function handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const chunk of incoming) text += chunk;
    const operation = incoming.url?.split('/').at(-1) ?? '';
    const send = (status: number, value: object) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    if (operation === 'token') return void send(200, { access_token: 'token-of-client', expires_in: 600 });
    const token = incoming.headers.authorization?.replace('Bearer ', '');
    const request = { operation, body: JSON.parse(text) as Body, token, at: now() };
    state.requests.push(request);
    if (!state.accepts(token)) return void send(401, { code: 'token_expired', title: 'no', detail: 'no' });
    const fault = state.fault(request);
    if (fault === 'silence') return;
    if (fault === 'request lost') return void response.destroy();
    if (typeof fault === 'object') return void send(fault.status, { ...fault, title: fault.code, detail: fault.code });
    const answer =
      operation === 'claim'
        ? await claim(request.body, response)
        : operation === 'heartbeat'
          ? heartbeat(request.body)
          : settle(request.body);
    if (fault === 'answer withheld') return;
    if (fault === 'answer lost') return void response.destroy();
    send(200, answer);
  }

  const server = createServer((incoming, response) => {
    void handle(incoming, response).finally(() => {
      for (const look of watching.splice(0)) look();
    });
  });
  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    state.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  beforeEach(() => {
    Object.assign(state, {
      jobs: [],
      requests: [],
      mostLeased: 0,
      leaseMs: 2_400,
      fault: () => undefined,
      accepts: () => true,
    });
    waiting = [];
    watching = [];
  });
  after(() => {
    server.close();
    server.closeAllConnections();
  });
  return state;
}

/** Chooses a fault for the first requests of an operation. */
export function firstOf(operation: string, ...faults: Fault[]): JobServer['fault'] {
  return (request) => (request.operation === operation ? faults.shift() : undefined);
}
