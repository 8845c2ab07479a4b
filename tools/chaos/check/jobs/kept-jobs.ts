import type { Evidence } from '../../evidence.ts';
import type { JobAct, JobRow } from '../../job-evidence.ts';
import { broken, type Violation } from '../violation.ts';

type Enqueue = Extract<JobAct, { kind: 'enqueue' }>;

/**
 * Each acknowledged job has one row, and each row has ended. A job of a request without a response has at most one row, and a batch all rows or none; a
 * refused one has none.
 */
export function checkKeptJobs({ jobActs, scheduleActs, world }: Evidence): Violation[] {
  const enqueued = jobActs.filter((act) => act.kind === 'enqueue');
  const byId = new Map(world.jobs.map((job) => [job.id, job]));
  const byName = Map.groupBy(world.jobs, ({ name }) => name ?? '');
  const ordered = new Set([
    ...enqueued.flatMap(({ jobs }) => jobs.map(({ name }) => name)),
    // the jobs of schedules are compared with their occurrences
    ...scheduleActs.flatMap((act) => (act.kind === 'create' && act.target === 'job' ? [act.name] : [])),
  ]);
  return broken('jobs are kept', [
    ...enqueued.flatMap((act) => wrongRows(act, byId, byName)),
    ...enqueued.map(partialBatch(byName)),
    ...enqueued.map(differentReceipts),
    ...world.jobs.map(
      ({ id, name, state, settled_at }) => settled_at === null && `job ${id} (${name}) has not ended: it is ${state}`,
    ),
    ...world.jobs.map(
      ({ id, name }) => name !== null && !ordered.has(name) && `job ${id} (${name}) was never enqueued`,
    ),
    ...jobActs.map((act) => act.kind === 'cancel' && lostCancellation(act, byId)),
  ]);
}

function wrongRows(
  { outcome, jobs, receipts }: Enqueue,
  byId: ReadonlyMap<string, JobRow>,
  byName: ReadonlyMap<string, JobRow[]>,
): (string | false)[] {
  return jobs.map(({ name, priority, uniqueKey }, place) => {
    const receipt = receipts[place];
    const rows = byName.get(name)?.length ?? 0;
    const text = `job ${name} was ${outcome}, and has ${rows} rows`;
    if (outcome === 'refused') return rows > 0 && text;
    if (outcome === 'unknown') return rows > 1 && text;
    if (receipt === undefined) return `job ${name} was acknowledged without a receipt`;
    const row = byId.get(receipt.id);
    if (row === undefined) return `job ${name} was acknowledged as ${receipt.id}, which does not exist`;
    if (receipt.isExisting) {
      const isOther = row.unique_key !== uniqueKey || rows > 0;
      return isOther && `job ${name} was not stored because of ${receipt.id}, which has the key ${row.unique_key}`;
    }
    return (rows !== 1 || row.name !== name || row.priority !== priority) && `${text}; ${JSON.stringify(row)}`;
  });
}

/** A job with a unique key may have found the key taken. */
function partialBatch(byName: ReadonlyMap<string, JobRow[]>): (act: Enqueue) => string | false {
  return ({ outcome, jobs }) => {
    const names = jobs.flatMap(({ name, uniqueKey }) => (uniqueKey === null ? [name] : []));
    const stored = names.filter((name) => byName.has(name));
    const isPartial = stored.length > 0 && stored.length < names.length;
    return isPartial && `of the batch ${names.join(', ')} (${outcome}), only ${stored.join(', ')} are stored`;
  };
}

function differentReceipts({ jobs, receipts, repeated }: Enqueue): string | false {
  const first = receipts.map(({ id }) => id).join();
  const other = repeated.find((ids) => ids.join() !== first);
  return other !== undefined && `${jobs[0]?.name} was acknowledged as ${first} and, when repeated, as ${other.join()}`;
}

function lostCancellation(
  { jobId, outcome, state }: Extract<JobAct, { kind: 'cancel' }>,
  byId: ReadonlyMap<string, JobRow>,
): string | false {
  if (outcome !== 'acknowledged') return false;
  const row = byId.get(jobId);
  const isKept = state === 'cancelled' ? row?.state === 'cancelled' : row?.cancel_requested === true;
  return !isKept && `the cancellation of job ${jobId} was acknowledged (${state}), and the job is ${row?.state}`;
}
