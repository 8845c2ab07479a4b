import { residentMegabytes } from './cpu-time.ts';
import { median, perSecond, printFigures, type Figure } from './figures.ts';
import { graphileContender, pgBossContender, sqlContender, tasksContender, type Contender } from './jobs-contenders.ts';
import { drainReminders, measureReminders, measureSchedules } from './jobs-due.ts';
import { measureHeartbeats, measurePickUp, measureSnapshot } from './jobs-workers.ts';
import { startJobsWorld } from './jobs-world.ts';

const rounds = 3;
const backlog = 10_000;
/** The number of callers that enqueue single jobs concurrently. */
const callers = 16;
const singles = 2_000;
/** Keys of the limited jobs. Each allows more jobs than ever run at a time, so that only the cost of counting shows. */
const keys = 100;
const remindersDue = 20_000;
const defaultSnapshotSeconds = 30;

type Rates = { batch: number[]; single: number[]; drained: number[] };

/** `npm run bench -- jobs`. `snapshotSeconds`: how long another connection holds a snapshot. */
export async function measureJobs(snapshotSeconds = defaultSnapshotSeconds): Promise<void> {
  console.log(`jobs: ${rounds} rounds of ${backlog} jobs, synchronous commits`);
  const world = await startJobsWorld();
  try {
    const limited = tasksContender(world, (n) => `key ${n % keys}`);
    const [tasks, sql] = [tasksContender(world), await sqlContender(world)];
    const contenders = [tasks, sql, await pgBossContender(world), await graphileContender(world)];
    await world.pool.query(
      `INSERT INTO job_limits (queue, key, max_running, updated_by) VALUES ('bench', '*', 1000, 'bench')`,
    );
    for (const contender of [...contenders, limited]) await warmUp(contender);
    const rates = new Map<Contender, Rates>();
    for (let round = 0; round < rounds; round++) {
      for (const contender of [...contenders, limited]) {
        const earlier = rates.get(contender) ?? { batch: [], single: [], drained: [] };
        rates.set(contender, await oneRound(contender, earlier));
      }
    }
    const of = (contender: Contender, what: keyof Rates) => median(rates.get(contender)?.[what] ?? []);
    const [drained, ceiling] = [of(tasks, 'drained'), of(sql, 'drained')];
    printFigures('jobs claimed and settled in batches of 100, and their events published (median of the rounds)', [
      { what: `${tasks.name} (aims: 3,000 jobs/s, 0.6)`, value: perSecond(drained, 'jobs'), ratio: drained / ceiling },
      ...contenders.slice(1).map((one): Figure => ({ what: one.name, value: perSecond(of(one, 'drained'), 'jobs') })),
      {
        what: 'Tasks over HTTP, with limited keys (aim: at most 25 % slower)',
        value: `${perSecond(of(limited, 'drained'), 'jobs')}, ${slower(of(limited, 'drained'), drained)}`,
      },
    ]);
    for (const [what, title] of [
      ['batch', 'jobs enqueued in batches of 1,000'],
      ['single', `jobs enqueued one by one, by ${callers} callers`],
    ] as const) {
      printFigures(
        title,
        contenders.map((one) => ({ what: one.name, value: perSecond(of(one, what), 'jobs') })),
      );
    }

    const pickUp = await measurePickUp(world);
    printFigures('one job, from the request that enqueues it to the response of a waiting worker', [
      { what: 'p50 (aim: below 15 ms)', value: `${pickUp.p50.toFixed(1)} ms` },
      { what: 'p99 (aim: below 60 ms)', value: `${pickUp.p99.toFixed(1)} ms` },
    ]);
    const cores = await measureHeartbeats(world, tasks);
    const snapshot = await measureSnapshot(world, tasks, snapshotSeconds);
    const schedules = await measureSchedules(world);
    const reminders = await measureReminders(world);
    const drainedReminders = await drainReminders(world, remindersDue);
    printFigures('other aims', [
      {
        what: 'heartbeats of 1,000 workers, Tasks and PostgreSQL (aim: at most 10 % of a core)',
        value: `${(cores * 100).toFixed(1)} % of a core`,
      },
      {
        what: `a snapshot held for ${snapshotSeconds} s, the last third (aim: at most 15 % slower)`,
        value: `${perSecond(snapshot.held, 'jobs')} instead of ${perSecond(snapshot.without, 'jobs')}, ${slower(snapshot.held, snapshot.without)}`,
      },
      {
        what: '1,000 schedules due in one second, p99 (aim: below 1 s)',
        value: `${schedules.p99Ms.toFixed(0)} ms late, p50 ${schedules.p50Ms.toFixed(0)} ms`,
      },
      {
        what: '1,000 reminders due in one second, p99 (aim: below 2 s)',
        value: `${reminders.p99Ms.toFixed(0)} ms late, p50 ${reminders.p50Ms.toFixed(0)} ms`,
      },
      {
        what: `${remindersDue.toLocaleString('en-US')} reminders due at once`,
        value: perSecond(drainedReminders, 'reminders'),
      },
      {
        what: 'resident memory of Tasks at the end',
        value: `${residentMegabytes(world.processes().get('tasks') ?? 0).toFixed(0)} MB`,
      },
    ]);
    for (const contender of contenders) await contender.stop();
  } finally {
    await world.stop();
  }
}

/** As many jobs as a round: the code of Tasks is compiled during the first thousands of jobs. */
async function warmUp(contender: Contender): Promise<void> {
  await contender.enqueue(backlog);
  await contender.drain(backlog);
  await contender.untilPublished?.();
}

async function oneRound(contender: Contender, { batch, single, drained }: Rates): Promise<Rates> {
  const batchRate = await rateOf(backlog, async () => await contender.enqueue(backlog));
  const singleRate = await rateOf(singles, async () => {
    let left = singles;
    await Promise.all(
      Array.from({ length: callers }, async () => {
        while (left-- > 0) await contender.enqueueOne();
      }),
    );
  });
  const drainedRate = await rateOf(backlog + singles, async () => {
    await contender.drain(backlog + singles);
    await contender.untilPublished?.();
  });
  return { batch: [...batch, batchRate], single: [...single, singleRate], drained: [...drained, drainedRate] };
}

async function rateOf(count: number, work: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await work();
  return count / ((performance.now() - began) / 1_000);
}

function slower(rate: number, than: number): string {
  return `${((1 - rate / than) * 100).toFixed(0)} % slower`;
}
