import pg from 'pg';
import { median, percentile, perSecond, printFigures, type Figure } from './figures.ts';
import { fillTasks, labelOf, wordOf } from './lists-tasks.ts';
import { startSuiteWorld, type LoggedIn, type SuiteWorld } from './suite-world.ts';

const samples = 40;
const rounds = 3;
const writes = 1_500;
const writers = 8;

/** `npm run bench -- lists`: lists, search and suggestions with growing numbers of tasks, and the price of search for writes. */
export async function measureLists(sizes: readonly number[] = [10_000, 1_000_000]): Promise<void> {
  console.log(`lists: ${samples} requests of each kind through the gateway, one after the other`);
  const world = await startSuiteWorld();
  const pool = new pg.Pool({ connectionString: world.suite.databaseUrl('tasks'), max: 2 });
  try {
    await measureWrites(world, pool);
    let smallest: Map<string, Times> | undefined;
    let stored = 0;
    for (const size of sizes) {
      await fillTasks(pool, { from: stored, to: size, people: [world.manager, ...world.members].map(({ id }) => id) });
      stored = size;
      const times = await timesOf(world, await world.renew());
      smallest ??= times;
      printTimes(size, times, smallest);
    }
  } finally {
    await pool.end();
    await world.stop();
  }
}

type Times = { ms: number[]; busy: number };
type Case = { what: string; aim: 'twice' | 'half a second' | 'search'; query: () => Record<string, string> };

function casesOf({ members: [member] }: SuiteWorld): Case[] {
  const assignee = member?.id ?? '';
  const in7Days = new Date(Date.now() + 7 * 86_400_000).toISOString();
  const sorts = ['created_at', 'updated_at', '-updated_at', 'due_at', '-due_at', 'priority', '-priority'];
  return [
    { what: 'no filter', aim: 'twice', query: () => ({}) },
    { what: 'state', aim: 'twice', query: () => ({ state: 'assigned' }) },
    { what: 'assignee', aim: 'twice', query: () => ({ assignee }) },
    { what: 'creator', aim: 'twice', query: () => ({ creator: assignee }) },
    { what: 'a rare label', aim: 'twice', query: () => ({ label: labelOf('rare') }) },
    { what: 'a frequent label', aim: 'twice', query: () => ({ label: labelOf('frequent') }) },
    { what: 'priority', aim: 'twice', query: () => ({ priority: 'urgent' }) },
    { what: 'due before', aim: 'twice', query: () => ({ due_before: in7Days }) },
    ...sorts.map((sort): Case => ({ what: `sort=${sort}`, aim: 'half a second', query: () => ({ sort }) })),
    { what: 'assignee, sort=due_at', aim: 'half a second', query: () => ({ assignee, sort: 'due_at' }) },
    {
      what: 'state, label, sort=-priority',
      aim: 'half a second',
      query: () => ({ state: 'assigned', label: labelOf('frequent'), sort: '-priority' }),
    },
    { what: 'search: a rare word', aim: 'search', query: () => ({ q: `${wordOf('rare')} ` }) },
    { what: 'search: two words', aim: 'search', query: () => ({ q: `${wordOf('rare')} ${wordOf('usual')} ` }) },
    { what: 'search: the beginning of a word', aim: 'search', query: () => ({ q: wordOf('rare').slice(0, 5) }) },
    {
      what: 'search: a rare word, sort=-created_at',
      aim: 'search',
      query: () => ({ q: `${wordOf('rare')} `, sort: '-created_at' }),
    },
    { what: 'search: a frequent word', aim: 'half a second', query: () => ({ q: `${wordOf('frequent')} ` }) },
    { what: 'suggest', aim: 'search', query: () => ({ suggest: wordOf('rare').slice(0, 5) }) },
  ];
}

async function timesOf(world: SuiteWorld, { token }: LoggedIn): Promise<Map<string, Times>> {
  const times = new Map<string, Times>();
  for (const { what, query } of casesOf(world)) {
    const found: Times = { ms: [], busy: 0 };
    // the first requests read pages from the disk
    for (let n = -5; n < samples; n++) {
      const { suggest, ...list } = query();
      const path =
        suggest === undefined
          ? `/api/v1/tasks?${new URLSearchParams(list).toString()}`
          : `/api/v1/tasks/suggest?q=${suggest}`;
      const began = performance.now();
      const response = await fetch(`${world.suite.url}${path}`, {
        headers: { authorization: `Bearer ${token}` },
      });
      await response.arrayBuffer();
      if (response.status !== 200 && response.status !== 503) throw new Error(`${path}: ${response.status}`);
      if (n < 0) continue;
      found.ms.push(performance.now() - began);
      if (response.status === 503) found.busy += 1;
    }
    times.set(what, found);
  }
  return times;
}

function printTimes(size: number, times: ReadonlyMap<string, Times>, smallest: ReadonlyMap<string, Times>): void {
  const figures = [...times].map(([what, { ms, busy }]): Figure => {
    const growth = median(ms) / median(smallest.get(what)?.ms ?? []);
    const refused = busy === 0 ? '' : `, ${busy} of ${samples} search_busy`;
    return {
      what,
      value: `p50 ${median(ms).toFixed(1)} ms, p95 ${percentile(ms, 0.95).toFixed(1)} ms, x ${growth.toFixed(1)}${refused}`,
    };
  });
  const aims =
    'one filter: x 2; other orders: 500 ms or search_busy; search: p95 50 ms with a million, 150 ms with 10 million';
  printFigures(`${size.toLocaleString('en-US')} tasks (aims: ${aims})`, figures);
}

/** Measures the creation of tasks with and without change numbers, their index and the follower, in turn. */
async function measureWrites(world: SuiteWorld, pool: pg.Pool): Promise<void> {
  const withSearch: number[] = [];
  const without: number[] = [];
  await createTasks(world, 300);
  for (let round = 0; round < rounds; round++) {
    withSearch.push(await createTasks(world, writes));
    await pool.query('ALTER TABLE tasks DISABLE TRIGGER number_change; DROP INDEX tasks_by_change_no');
    without.push(await createTasks(world, writes));
    await pool.query(
      'CREATE INDEX tasks_by_change_no ON tasks (change_no); ALTER TABLE tasks ENABLE TRIGGER number_change',
    );
  }
  const [rate, ceiling] = [median(withSearch), median(without)];
  printFigures(`tasks created by ${writers} callers (aim: at most 15 % slower with search)`, [
    { what: 'with search', value: perSecond(rate, 'tasks'), ratio: rate / ceiling },
    { what: 'without search', value: perSecond(ceiling, 'tasks') },
  ]);
}

async function createTasks({ call, manager: { token } }: SuiteWorld, count: number): Promise<number> {
  let left = count;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: writers }, async () => {
      while (left-- > 0) {
        const title = `${wordOf('usual')} ${wordOf('rare')} ${wordOf('usual')}`;
        await call('POST', '/api/v1/tasks', {
          token,
          body: { title, description: title, labels: [labelOf('frequent')] },
        });
      }
    }),
  );
  return count / ((performance.now() - began) / 1_000);
}
