import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { percentile, perSecond, printFigures, type Figure } from './figures.ts';
import { startSuiteWorld, type LoggedIn, type SuiteWorld } from './suite-world.ts';

/** The rates in requests per second: a busy day's, and the highest that one machine with two cores should sustain. */
const rates = [300, 700];
const secondsPerRate = 20;
const warmUpSeconds = 3;
/** Open tasks that members can start or complete before the first new ones arrive. */
const tasksAtFirst = 300;
/** A response that takes longer counts as lost. */
const timeoutMs = 30_000;

type Kind = 'read one' | 'list' | 'inbox' | 'create assigned' | 'transition';
type Request = { kind: Kind; method: string; path: string; by: LoggedIn; body?: unknown };
type Sample = { kind: Kind; ms: number };

/** The kinds of 20 consecutive requests, in an order that mixes them evenly. */
const deck: readonly Kind[] = [
  ...(['read one', 'list', 'read one', 'inbox', 'create assigned', 'read one', 'transition'] as const),
  ...(['read one', 'list', 'inbox', 'read one', 'create assigned', 'list', 'read one'] as const),
  ...(['transition', 'read one', 'inbox', 'create assigned', 'list', 'read one'] as const),
];

type OpenTask = { id: string; by: LoggedIn; state: 'in_progress' | 'completed' };

/**
 * Measures response times through the gateway at a fixed rate: 40 % read one task, 20 % list tasks, 15 % read their inbox, 15 % create an assigned
 * task, 10 % start or complete a task. The loop is open: a request is sent when it is due, whether or not earlier ones have been answered, and its
 * response time is measured from the moment when it was due.
 */
export async function measureMixed(): Promise<void> {
  console.log(`mixed: open loop through the gateway, ${secondsPerRate} s at each rate, everything on this machine`);
  const world = await startSuiteWorld();
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  try {
    const traffic = await createTraffic(world, agent);
    await openLoop(rates[0] ?? 0, warmUpSeconds, traffic);
    for (const rate of rates) {
      await world.idle();
      const { samples, seconds } = await openLoop(rate, secondsPerRate, traffic);
      const began = performance.now();
      await world.idle();
      const caughtUpMs = performance.now() - began;
      const [answered, due] = [samples.length / seconds, rate];
      printFigures(`mixed at ${rate} requests/s`, [
        { what: 'answered', value: perSecond(answered, 'requests'), ratio: answered / due },
        ...figuresOf('all', samples),
        ...[...new Set(deck)].flatMap((kind) =>
          figuresOf(
            kind,
            samples.filter((sample) => sample.kind === kind),
          ),
        ),
        { what: 'events and mails caught up after the last response', value: `${Math.round(caughtUpMs)} ms` },
      ]);
    }
  } finally {
    agent.destroy();
    await world.stop();
  }
}

function figuresOf(what: string, samples: readonly Sample[]): Figure[] {
  const times = samples.map(({ ms }) => ms);
  const at = (share: number) => percentile(times, share).toFixed(1);
  return [{ what: `${what}: p50, p99, most`, value: `${at(0.5)}, ${at(0.99)}, ${at(1)} ms` }];
}

type Traffic = { next(): Request; send(request: Request): Promise<void> };

async function createTraffic({ call, suite, manager, members }: SuiteWorld, agent: Agent): Promise<Traffic> {
  const open: OpenTask[] = [];
  const known: string[] = [];
  const anyOf = <T>(list: readonly T[]): T => {
    const one = list[Math.floor(Math.random() * list.length)];
    if (one === undefined) throw new Error('nothing to choose from');
    return one;
  };
  let sent = 0;

  function created(id: string, by: LoggedIn): void {
    known.push(id);
    open.push({ id, by, state: 'in_progress' });
  }

  for (let n = 0; n < tasksAtFirst; n++) {
    const by = anyOf(members);
    const body = { title: 'Water the plants', assignee_id: by.id };
    created((await call<{ id: string }>('POST', '/api/v1/tasks', { token: manager.token, body })).id, by);
  }

  function next(): Request {
    const kind = deck[sent++ % deck.length] ?? 'read one';
    switch (kind) {
      case 'read one':
        return { kind, method: 'GET', path: `/api/v1/tasks/${anyOf(known)}`, by: anyOf(members) };
      case 'list':
        return { kind, method: 'GET', path: '/api/v1/tasks', by: anyOf(members) };
      case 'inbox':
        return { kind, method: 'GET', path: '/api/v1/notifications', by: anyOf(members) };
      case 'create assigned':
        return {
          ...{ kind, method: 'POST', path: '/api/v1/tasks', by: manager },
          body: { title: 'Water the plants', assignee_id: anyOf(members).id },
        };
      case 'transition': {
        const task = open.shift();
        if (task === undefined) throw new Error('there is no open task to start or complete');
        if (task.state === 'in_progress') open.push({ ...task, state: 'completed' });
        return {
          kind,
          method: 'POST',
          path: `/api/v1/tasks/${task.id}/transition`,
          by: task.by,
          body: { state: task.state },
        };
      }
    }
  }

  async function send({ kind, method, path, by, body }: Request): Promise<void> {
    const text = await exchange(agent, { method, url: `${suite.url}${path}`, token: by.token, body });
    if (kind !== 'create assigned') return;
    const task = JSON.parse(text) as { id: string; assignee: { id: string } };
    const assignee = members.find(({ id }) => id === task.assignee.id);
    if (assignee !== undefined) created(task.id, assignee);
  }

  return { next, send };
}

async function openLoop(
  rate: number,
  seconds: number,
  { next, send }: Traffic,
): Promise<{ samples: Sample[]; seconds: number }> {
  const samples: Sample[] = [];
  const running: Promise<void>[] = [];
  const began = performance.now();
  for (let n = 0; n < rate * seconds; n++) {
    const dueAt = began + (n * 1000) / rate;
    if (dueAt > performance.now()) await delay(dueAt - performance.now());
    const due = next();
    running.push(send(due).then(() => void samples.push({ kind: due.kind, ms: performance.now() - dueAt })));
  }
  await Promise.all(running);
  return { samples, seconds: (performance.now() - began) / 1000 };
}

/** The body of a 2xx response. @throws for any other response, and if none arrives in time. */
function exchange(agent: Agent, o: { method: string; url: string; token: string; body: unknown }): Promise<string> {
  const body = o.body === undefined ? undefined : JSON.stringify(o.body);
  const headers = {
    authorization: `Bearer ${o.token}`,
    ...(body !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
  };
  return new Promise((resolve, reject) => {
    const options = { agent, method: o.method, headers, timeout: timeoutMs };
    const outgoing = request(o.url, options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => {
        const text = Buffer.concat(chunks).toString();
        if (response.statusCode !== undefined && response.statusCode < 300) resolve(text);
        else reject(new Error(`${o.method} ${o.url}: ${response.statusCode} ${text}`));
      });
    });
    outgoing.once('timeout', () => outgoing.destroy(new Error(`${o.method} ${o.url}: no response in ${timeoutMs} ms`)));
    outgoing.once('error', reject);
    outgoing.end(body);
  });
}
