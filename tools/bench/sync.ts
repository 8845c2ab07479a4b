import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { median, percentile, printFigures, type Figure } from './figures.ts';
import { fillTasks } from './lists-tasks.ts';
import { startSuiteWorld, type LoggedIn, type SuiteWorld } from './suite-world.ts';

const stored = 100_000;
const rounds = 3;
const rate = 50;
const secondsPerRound = 10;
/** A change that is not visible after this time is lost. */
const patienceMs = 10_000;

type Page = { data: { id: string; updated_at: string }[]; next_token: string; more: boolean };

/** `npm run bench -- sync`: first copies of the tasks, and the time until a client that follows them sees a change, through the gateway. */
export async function measureSync(): Promise<void> {
  const tasks = stored.toLocaleString('en-US');
  console.log(`sync: first copies of ${tasks} tasks, and ${rounds} × ${secondsPerRound} s with ${rate} new tasks/s`);
  const world = await startSuiteWorld();
  const pool = new pg.Pool({ connectionString: world.suite.databaseUrl('tasks'), max: 2 });
  try {
    const [member] = world.members;
    if (member === undefined) throw new Error('the demo users have no member');
    await fillTasks(pool, { from: 0, to: stored, people: [world.manager, ...world.members].map(({ id }) => id) });
    const first = [
      await firstCopies(world, { what: 'a manager', reader: world.manager, expected: stored }),
      await firstCopies(world, { what: 'a member', reader: member, expected: stored }),
    ];
    const samples = await visibility(world, member);
    await hide(pool);
    const left = stored / 100 + samples.flat().length;
    first.push(await firstCopies(world, { what: 'a member who reads 1 %', reader: member, expected: left }));
    printFigures(`first copy of ${tasks} tasks (aim: below 10 s)`, first);
    printFigures('from a change to its arrival at a client (aim: p99 below 250 ms)', [
      figureOf('p50', samples, 0.5),
      figureOf('p99', samples, 0.99),
      figureOf('most', samples, 1),
    ]);
  } finally {
    await pool.end();
    await world.stop();
  }
}

async function readPage(
  { call }: SuiteWorld,
  { token: access }: LoggedIn,
  query: Record<string, string>,
): Promise<Page> {
  return await call('GET', `/api/v1/sync/tasks?${new URLSearchParams({ limit: '500', ...query }).toString()}`, {
    token: access,
  });
}

/** Reads pages until none follows, and returns the token after them. */
async function readAll(world: SuiteWorld, reader: LoggedIn): Promise<{ ids: Set<string>; token: string }> {
  const ids = new Set<string>();
  let page = await readPage(world, reader, {});
  for (;;) {
    for (const { id } of page.data) ids.add(id);
    if (!page.more) return { ids, token: page.next_token };
    page = await readPage(world, reader, { token: page.next_token });
  }
}

async function firstCopies(
  world: SuiteWorld,
  { what, reader, expected }: { what: string; reader: LoggedIn; expected: number },
): Promise<Figure> {
  const seconds: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const began = performance.now();
    const { ids } = await readAll(world, reader);
    seconds.push((performance.now() - began) / 1_000);
    if (ids.size !== expected) throw new Error(`the copy of ${what} has ${ids.size} tasks instead of ${expected}`);
  }
  return { what, value: `${median(seconds).toFixed(2)} s` };
}

/**
 * The time from each change to its arrival at a client that waits for changes, in milliseconds, by round. The time of a change is that of its statement,
 * which is a little before its commit. The database and the client have the same clock.
 */
async function visibility(world: SuiteWorld, reader: LoggedIn): Promise<number[][]> {
  let { token } = await readAll(world, reader);
  const samples: number[][] = [];
  for (let round = 0; round < rounds; round++) {
    const awaited = new Set<string>();
    const arrived = new Map<string, number>();
    const writing = createTasks(world, awaited);
    let isWriting = true;
    void writing.finally(() => (isWriting = false)).catch(() => undefined);
    const deadline = performance.now() + secondsPerRound * 1_000 + patienceMs;
    while (isWriting || [...awaited].some((id) => !arrived.has(id))) {
      if (performance.now() > deadline) throw new Error(`${awaited.size - arrived.size} tasks did not arrive`);
      const page = await readPage(world, reader, { token, wait: '1' });
      const now = Date.now();
      token = page.next_token;
      for (const { id, updated_at: at } of page.data) if (!arrived.has(id)) arrived.set(id, now - Date.parse(at));
    }
    await writing;
    samples.push([...arrived.values()]);
  }
  return samples;
}

/** Creates tasks at a steady rate. */
async function createTasks({ call, manager: { token } }: SuiteWorld, ids: Set<string>): Promise<void> {
  const running: Promise<void>[] = [];
  const began = performance.now();
  for (let n = 0; n < rate * secondsPerRound; n++) {
    const dueAt = began + (n * 1_000) / rate;
    if (dueAt > performance.now()) await delay(dueAt - performance.now());
    const body = { title: 'Water the plants' };
    running.push(call<{ id: string }>('POST', '/api/v1/tasks', { token, body }).then(({ id }) => void ids.add(id)));
  }
  await Promise.all(running);
}

function figureOf(what: string, samples: readonly number[][], share: number): Figure {
  return { what, value: `${median(samples.map((round) => percentile(round, share))).toFixed(0)} ms` };
}

/** Places 99 % of the filled tasks in a project of others. Without triggers, so that they keep their numbers. */
async function hide(pool: pg.Pool): Promise<void> {
  await pool.query('ALTER TABLE tasks DISABLE TRIGGER USER');
  await pool.query(
    `UPDATE tasks SET project_id = gen_random_uuid()
     FROM (SELECT id, row_number() OVER (ORDER BY change_no) AS place FROM tasks) AS numbered
     WHERE numbered.id = tasks.id AND place > ${stored / 100} AND place <= ${stored}`,
  );
  await pool.query('ALTER TABLE tasks ENABLE TRIGGER USER');
  await pool.query('VACUUM ANALYZE tasks');
}
