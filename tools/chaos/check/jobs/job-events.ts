import type { Evidence, RecordedEvent } from '../../evidence.ts';
import type { JobRow } from '../../job-evidence.ts';
import { compare } from '../event-order.ts';
import { broken, type Violation } from '../violation.ts';

/** Each job publishes one event for each death that was followed by a replay, and one for its end. */
export function checkJobEvents({ world }: Evidence, published: ReadonlyMap<string, RecordedEvent[]>): Violation[] {
  const replays = Map.groupBy(
    world.jobAudit.filter(({ action }) => action === 'replay'),
    ({ job_id }) => job_id,
  );
  return broken(
    'every change is published once',
    world.jobs.map((job) => wrongEvents(job, replays.get(job.id)?.length ?? 0, published.get(job.id) ?? [])),
  );
}

function wrongEvents({ id, name, state, settled_at }: JobRow, replays: number, published: readonly RecordedEvent[]) {
  const actual = published.toSorted((a, b) => compare(a.timestamp, b.timestamp));
  const deaths = Array.from({ length: replays }, () => 'tasks.job.dead');
  const expected = settled_at === null ? deaths : [...deaths, `tasks.job.${state}`];
  const got = actual.map(({ type }) => type);
  const text = `job ${id} (${name}), ${state}, replayed ${replays} times: events ${got.join(', ') || 'none'}`;
  if (got.join() !== expected.join()) return text;
  return settled_at !== null && actual.at(-1)?.timestamp !== settled_at && `${text}; the last has another time`;
}
