import type { ClaimedJob } from './ports.ts';

/** Returns the id of a claimed job, whose text comes from the database, which writes the id first. */
export function claimedJobId(job: ClaimedJob): string {
  return /^\{"id":"([^"]+)"/.exec(job)?.[1] ?? '';
}
