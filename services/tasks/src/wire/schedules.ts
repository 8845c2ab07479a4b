import { createLoop, type Loop } from '@taskwire/lifecycle';
import type { Database } from '@taskwire/postgres';
import type { Telemetry } from '@taskwire/telemetry';
import type { TaskStore } from '../app/ports.ts';
import type { SchedulePorts } from '../app/schedules/ports.ts';
import { runSchedules } from '../app/schedules/run-schedules.ts';
import type { PerformerPolicy } from '../domain/performer.ts';
import { performerSql } from '../postgres/performer-sql.ts';
import { observeSchedules } from '../postgres/schedules/metrics.ts';
import { databaseClock } from '../postgres/schedules/reads.ts';
import { createScheduleStore } from '../postgres/schedules/store.ts';
import { createRuleEvaluator } from '../recurrence/evaluator.ts';

/** How often the loop polls for due schedules. A poll is one index lookup; the wake-up at the next instant is only a hint. */
const pollMs = 1_000;

type Parts = {
  db: Database;
  tasks: TaskStore;
  jobs: SchedulePorts['jobs'];
  projects: SchedulePorts['projects'];
  policy: PerformerPolicy;
  telemetry: Telemetry;
};

/** Wires schedules: their ports, the thread that evaluates rules, and the loop that runs what is due. */
export function wireSchedules({ db, tasks, jobs, projects, policy, telemetry }: Parts) {
  const schedules = createScheduleStore(db, performerSql(policy));
  const rules = createRuleEvaluator();
  const { counted } = observeSchedules(db, telemetry);
  let timer: NodeJS.Timeout | undefined;

  const ports: SchedulePorts = {
    ...{ schedules, tasks, jobs, projects, rules, counted },
    clock: databaseClock(db.pool),
    wake: () => loop.wake(),
  };

  const loop: Loop = createLoop({
    name: 'scheduler',
    intervalMs: pollMs,
    logger: telemetry.logger,
    async tick() {
      const { progress, dueInMs } = await runSchedules(ports);
      if (progress === 'idle') wakeAtNext(dueInMs);
      return progress;
    },
  });

  function wakeAtNext(ms: number | null): void {
    clearTimeout(timer);
    if (ms === null || ms <= 0 || ms > pollMs) return;
    timer = setTimeout(loop.wake, Math.max(1, Math.ceil(ms)));
    timer.unref();
  }

  return { ports, rules, scheduler: loop };
}
