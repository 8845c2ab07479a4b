import type { Evidence } from '../../evidence.ts';
import type { AttemptRow } from '../../job-evidence.ts';
import { limitedKey, mostRunning } from '../../workload/jobs/names.ts';
import { broken, type Violation } from '../violation.ts';

/** No job starts before its time or before its predecessors have succeeded, and the limit of a concurrency key holds at every instant. */
export function checkStarts({ jobActs, world }: Evidence): Violation[] {
  const byId = new Map(world.jobs.map((job) => [job.id, job]));
  const attempts = Map.groupBy(world.jobAttempts, ({ job_id }) => job_id);
  const stored = jobActs.flatMap((act) => {
    if (act.kind !== 'enqueue') return [];
    return act.jobs.flatMap((order, place) => {
      const receipt = act.receipts[place];
      return receipt === undefined || receipt.isExisting ? [] : [{ order, starts: attempts.get(receipt.id) ?? [] }];
    });
  });
  return broken('jobs wait for limits and predecessors', [
    ...stored.flatMap(({ order: { name, after }, starts }) =>
      after.map((id) => {
        const { state, settled_at: end } = byId.get(id) ?? { state: 'missing', settled_at: null };
        const early = starts.find(({ leased_at }) => state !== 'succeeded' || end === null || leased_at < end);
        return (
          early && `job ${name} started at ${early.leased_at}, and its predecessor ${id} has been ${state} since ${end}`
        );
      }),
    ),
    ...stored.map(({ order: { name, runAt }, starts }) => {
      const early = starts.find(({ leased_at }) => runAt !== null && Date.parse(leased_at) < Date.parse(runAt));
      return early && `job ${name} started at ${early.leased_at}, before ${runAt}`;
    }),
    overLimit(world.jobAttempts.filter(({ job_id }) => byId.get(job_id)?.concurrency_key === limitedKey)),
  ]);
}

function overLimit(attempts: readonly AttemptRow[]): string | false {
  const running = (at: string) =>
    attempts.filter(({ leased_at, ended_at }) => leased_at <= at && ended_at > at).map(({ job_id }) => job_id);
  const excess = attempts.map(({ leased_at }) => leased_at).find((at) => running(at).length > mostRunning);
  return excess !== undefined && `at ${excess}, the key ${limitedKey} had the running jobs ${running(excess).join()}`;
}
