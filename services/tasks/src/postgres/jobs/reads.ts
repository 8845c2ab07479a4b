import { hash } from 'node:crypto';
import { keyset, pageOf, query, type Keyset, type Place, type Queryable } from '@taskwire/postgres';
import type { JobDocument, JobFilter, JobMarks, JobReads } from '../../app/jobs/ports.ts';
import { jobJson, jobMark } from './job-json.ts';

export const readJob = {
  name: 'jobs.read',
  text: `
  SELECT job.queue, ${jobMark('job')} AS mark, job.settled_at IS NOT NULL AS has_ended, ${jobJson('job')} AS json
  FROM jobs job WHERE job.id = $1`,
};

/** The jobs that requests watch. */
export const readMarks = {
  name: 'jobs.read_marks',
  text: `SELECT job.id, ${jobMark('job')} AS mark FROM jobs job WHERE job.id = ANY ($1::uuid[])`,
};

type FoundRow = { queue: string; mark: string; has_ended: boolean; json: JobDocument['text'] };

const latestFirst: Keyset = { direction: 'DESC', columns: { id: { sql: 'job.id', type: 'uuid' } } };

/** The statement of a list, prepared for each shape of filter. The state is part of the text: dead jobs have an index of their own. */
export function listJobs({ state, queue, kind }: JobFilter, place: Place) {
  const values: unknown[] = [];
  const parameter = (value: unknown): string => `$${values.push(value)}`;
  const conditions = [
    ...(state === undefined ? [] : [`job.state = '${state}'`]),
    ...(queue === undefined ? [] : [`job.queue = ${parameter(queue)}`]),
    ...(kind === undefined ? [] : [`job.kind = ${parameter(kind)}`]),
  ];
  const page = keyset(latestFirst, place, values.length + 1);
  const text = `
    SELECT job.id, ${jobJson('job')} AS json FROM jobs job WHERE ${[...conditions, page.condition].join(' AND ')} ${page.orderAndLimit}`;
  return { name: `jobs.list_${hash('sha1', text).slice(0, 8)}`, text, values: [...values, ...page.values] };
}

export function jobReads(db: Queryable): JobReads & JobMarks {
  return {
    async readJob(id, tx) {
      const [row] = await query<FoundRow>(tx ?? db, { ...readJob, values: [id] });
      return row && { text: row.json, queue: row.queue, mark: row.mark, hasEnded: row.has_ended };
    },
    async readMarks(ids) {
      const rows = await query<{ id: string; mark: string }>(db, { ...readMarks, values: [ids] });
      return new Map(rows.map(({ id, mark }) => [id, mark]));
    },
    async listJobs(filter, place) {
      const rows = await query<{ id: string; json: JobDocument['text'] }>(db, listJobs(filter, place));
      const { items, next } = pageOf(rows, latestFirst, place.limit);
      return { items: items.map(({ json }) => json), next };
    },
  };
}
