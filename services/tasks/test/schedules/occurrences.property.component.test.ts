import { expect } from 'chai';
import fc from 'fast-check';
import { propertyRuns, propertyTimeoutMs } from '@taskwire/testing';
import { changeSchedule, pauseSchedule, resumeSchedule } from '../../src/app/schedules/change-schedule.ts';
import { createSchedule } from '../../src/app/schedules/create-schedule.ts';
import type { SchedulePorts } from '../../src/app/schedules/ports.ts';
import { runSchedules } from '../../src/app/schedules/run-schedules.ts';
import type { Actor } from '../../src/domain/task.ts';
import { jobsHarness, type JobsHarness } from '../support/jobs-harness.ts';

const minuteMs = 60_000;
/** Minutes between two instants of a rule. */
const intervals = [1, 2, 3, 5] as const;
const expressionOf = (interval: number) => `*/${interval} * * * *`;

type Step =
  | { kind: 'wait'; minutes: number }
  | { kind: 'run' | 'two loops' | 'pause' | 'resume' | 'finish' }
  | { kind: 'killed'; after: number }
  | { kind: 'rule'; interval: (typeof intervals)[number] }
  | {
      kind: 'settings';
      catchUp: 'skip' | 'latest' | 'all';
      overlap: 'skip' | 'queue_one' | 'allow' | 'cancel_running';
      jitter: 'PT0S' | 'PT50S';
    };

const of = <K extends Step['kind']>(...kinds: K[]) => fc.record({ kind: fc.constantFrom(...kinds) });
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait' as const), minutes: fc.integer({ min: 1, max: 7 }) }) },
  { weight: 5, arbitrary: of('run', 'two loops', 'pause', 'resume', 'finish') },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('killed' as const), after: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rule' as const), interval: fc.constantFrom(...intervals) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('settings' as const),
      catchUp: fc.constantFrom('skip' as const, 'latest' as const, 'all' as const),
      overlap: fc.constantFrom('skip' as const, 'queue_one' as const, 'allow' as const, 'cancel_running' as const),
      jitter: fc.constantFrom('PT0S' as const, 'PT50S' as const),
    }),
  },
) as fc.Arbitrary<Step>;

describe('The occurrences of a schedule', function () {
  this.timeout(propertyTimeoutMs);
  let harness: JobsHarness;
  let manager: Actor;
  /** The simulated time of these schedules is hours ago, so that all their occurrences are due by the database's clock. */
  let now = 0;

  before(async () => {
    harness = await jobsHarness();
    manager = await harness.join('Mona', 'manager');
  });
  after(async () => await harness.stop());

  const ports = (): SchedulePorts => ({
    ...harness.service.schedules,
    clock: { now: async () => await Promise.resolve(now) },
    wake: () => undefined,
    counted: () => undefined,
  });

  /** The process dies after this many calls of the store, and its transaction is rolled back. */
  function dying(after: number): SchedulePorts {
    let left = after;
    const proxy = <T extends object>(store: T): T =>
      new Proxy(store, {
        get(target, name, receiver) {
          const value: unknown = Reflect.get(target, name, receiver);
          if (typeof value !== 'function' || name === 'transaction') return value;
          return async (...given: unknown[]) => {
            const result: unknown = await Reflect.apply(value, target, given);
            if (left-- <= 0) throw new Error('killed');
            return result;
          };
        },
      });
    const alive = ports();
    return { ...alive, schedules: proxy(alive.schedules), jobs: proxy(alive.jobs), tasks: proxy(alive.tasks) };
  }

  const idle = async (one = ports()) => {
    for (let round = 0; round < 3; round++) await runSchedules(one);
  };
  const users = { eligibilityOf: async () => await Promise.resolve('eligible' as const) };
  const knownQueues = { unknownAmong: async () => await Promise.resolve(new Set<string>()) };
  const command = (scheduleId: string) => ({
    ...{ actor: manager, scheduleId, requireVersion: () => undefined, request: undefined },
  });

  /** Ends everything that schedules have started. */
  async function finish(): Promise<void> {
    await harness.sql(
      "UPDATE jobs SET state = 'succeeded', settled_at = now() WHERE state = 'queued' AND created_by LIKE 'schedule:%'",
    );
    await harness.sql("UPDATE tasks SET state = 'cancelled' WHERE state = 'draft'");
  }

  /** Ends the schedule of the last run, and removes what it made: the statements of each run look at all tasks and jobs. */
  async function removeEarlier(): Promise<void> {
    await harness.sql(
      'UPDATE schedules SET due_at = NULL, queued_at = NULL, deleted_at = now() WHERE deleted_at IS NULL',
    );
    await harness.sql('DELETE FROM schedule_occurrences');
    await harness.sql('DELETE FROM jobs');
    await harness.sql('UPDATE tasks SET deleted_at = clock_timestamp() WHERE deleted_at IS NULL');
    await harness.sql("SELECT remove_deleted_tasks(interval '0', 10000)");
  }

  /** Runs the steps, and returns the instants of the rule that was in force at each time. */
  async function live(id: string, steps: readonly Step[], first: number): Promise<Set<number>> {
    const expected = new Set<number>();
    let interval = 1;
    let decided = first - minuteMs;
    // every change of a schedule first decides the due occurrences by the old rule
    const settle = () => {
      for (let at = decided + minuteMs; at <= now; at += minuteMs)
        if (new Date(at).getUTCMinutes() % interval === 0) expected.add(at);
      decided = Math.max(decided, Math.floor(now / minuteMs) * minuteMs);
    };
    for (const one of steps) {
      switch (one.kind) {
        case 'wait':
          now += one.minutes * minuteMs;
          break;
        case 'run':
          await runSchedules(ports());
          break;
        case 'two loops':
          await Promise.all([runSchedules(ports()), runSchedules(ports())]);
          break;
        case 'killed':
          await runSchedules(dying(one.after)).catch(ignoreKill);
          // a schedule that fails is postponed
          await harness.sql('UPDATE schedules SET due_at = next_at WHERE id = $1', [id]);
          break;
        case 'pause':
          await pauseSchedule(ports(), command(id));
          break;
        case 'resume':
          await resumeSchedule(ports(), command(id));
          break;
        case 'finish':
          await finish();
          break;
        case 'rule':
          settle();
          interval = one.interval;
          await changeSchedule(
            { ...ports(), users, knownQueues },
            { ...command(id), input: { expression: expressionOf(interval) } },
          );
          break;
        case 'settings':
          await changeSchedule(
            { ...ports(), users, knownQueues },
            { ...command(id), input: { catch_up: one.catchUp, overlap: one.overlap, jitter: one.jitter } },
          );
      }
    }
    settle();
    // the jitter of the last instant has passed, and no further instant has come
    now += 29_000;
    await idle();
    return expected;
  }

  for (const what of ['job', 'task'] as const) {
    it(`are one row for each instant of the rule in force, and those that ran have one ${what} each`, async () => {
      const run = fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 25 }), async (steps) => {
        await removeEarlier();
        now = Math.floor(Date.now() / minuteMs - 600) * minuteMs + 30_000;
        const target =
          what === 'job'
            ? {
                kind: 'job' as const,
                job: { queue: 'property', kind: 'test', payload: {}, priority: 0, max_attempts: 3 },
              }
            : { kind: 'task' as const, title: 'Water', description: '', priority: 'normal' as const, labels: [] };
        const { text } = await createSchedule(
          { ...ports(), users, knownQueues },
          {
            actor: manager,
            input: {
              ...{ kind: 'cron', expression: '* * * * *', time_zone: 'UTC', starts_at: null, ends_at: null },
              ...{
                dst_gap: 'run_after',
                catch_up: 'latest',
                overlap: 'skip',
                regenerate: 'on_schedule',
                jitter: 'PT50S',
              },
              ...{ target, pause_after_failures: 5, paused: false },
            },
            request: undefined,
          },
        );
        const { id, next_at: next } = JSON.parse(text) as { id: string; next_at: string };
        const expected = await live(id, steps, Date.parse(next));
        const rows = await harness.sql<{ at: number; state: string; ran: string | null }>(
          `SELECT (extract(epoch FROM nominal_at) * 1000)::float8 AS at, state, coalesce(task_id, job_id) AS ran FROM schedule_occurrences
           WHERE schedule_id = $1 ORDER BY nominal_at`,
          [id],
        );
        expect(rows.map(({ at }) => at)).to.deep.equal([...expected].toSorted((a, b) => a - b));
        const ids = rows.flatMap(({ ran }) => (ran === null ? [] : [ran]));
        expect(new Set(ids).size).to.equal(rows.filter(({ state }) => state === 'ran').length);
        const [made] = await harness.sql<{ found: number; others: number }>(
          `SELECT count(*) FILTER (WHERE id = ANY ($1))::integer AS found,
             count(*) FILTER (WHERE NOT EXISTS (SELECT FROM schedule_occurrences WHERE ${what}_id = made.id))::integer AS others
           FROM ${what}s made`,
          [ids],
        );
        expect(made).to.deep.equal({ found: ids.length, others: 0 });
      });
      await fc.assert(run, { ...propertyRuns({ test: 6, drill: 300 }), endOnFailure: true });
    });
  }

  function ignoreKill(error: unknown): void {
    if (!(error instanceof Error) || error.message !== 'killed') throw error;
  }
});
