import { hash } from 'node:crypto';
import { keyset, pageOf, query, type Keyset, type Place, type Queryable } from '@taskwire/postgres';
import type { JobDocument, JobFilter, JobReads } from '../../app/jobs/ports.ts';
import { jobJson } from './job-json.ts';

export const readJob = {
  name: 'jobs.read',
  text: `SELECT job.queue, ${jobJson('job')} AS json FROM jobs job WHERE job.id = $1`,
};

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

export function jobReads(db: Queryable): JobReads {
  return {
    async readJob(id, tx) {
      const [row] = await query<{ queue: string; json: JobDocument['text'] }>(tx ?? db, { ...readJob, values: [id] });
      return row && { text: row.json, queue: row.queue };
    },
    async listJobs(filter, place) {
      const rows = await query<{ id: string; json: JobDocument['text'] }>(db, listJobs(filter, place));
      const { items, next } = pageOf(rows, latestFirst, place.limit);
      return { items: items.map(({ json }) => json), next };
    },
  };
}
