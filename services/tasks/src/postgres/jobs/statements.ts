import { claimKeyedJobs } from './claim-keyed.ts';
import { claimJobs, countClaimable, readClaim } from './claim.ts';
import { endWindows, enqueueJobs, insertDependencies, keyHolders, lockPredecessors } from './enqueue.ts';
import { findFloors } from './floors.ts';
import { extendLeases, extendUnlocked } from './heartbeat.ts';
import { noteHeard } from './job-store.ts';
import { endOverdue, nextRun, promoteJobs } from './promote.ts';
import { findKeys, findNewKeys } from './queued-keys.ts';
import { listJobs, readJob, readMarks } from './reads.ts';
import { expireLeases, graceLeases, listLeases, lockReaper, noteTick } from './reap.ts';
import { readAnswers, settleJobs } from './settle.ts';

/** The first page of all jobs and of dead jobs; other lists combine these conditions. */
const lists = [{}, { state: 'dead' }].map((filter) => listJobs(filter, { limit: 1, after: undefined }));

/** The prepared statements on jobs, for `statements.sql`. A test compares them with those that run. */
export const jobStatements: readonly { name: string; text: string }[] = [
  ...[enqueueJobs, endWindows, keyHolders, lockPredecessors, insertDependencies, readJob, readMarks],
  ...lists.map(({ name, text }) => ({ name, text })),
  ...[
    claimJobs,
    claimKeyedJobs,
    readClaim,
    countClaimable,
    findFloors,
    findKeys,
    findNewKeys,
    extendUnlocked,
    extendLeases,
    settleJobs,
    readAnswers,
    noteHeard,
  ],
  ...[promoteJobs, nextRun, endOverdue, lockReaper, listLeases, expireLeases, graceLeases, noteTick],
];
