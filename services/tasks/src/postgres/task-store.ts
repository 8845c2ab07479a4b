import { problem, type Problem } from '@taskwire/errors';
import { isSqlState, onlyRow, query, sqlState, type Database, type Tx } from '@taskwire/postgres';
import type { z } from 'zod';
import type { Document, IdempotentRequest, TaskSchema, TaskStore } from '../app/ports.ts';
import { byUser } from '../domain/creation.ts';
import type { PerformerPolicy } from '../domain/performer.ts';
import { applyChange, applyChanges } from './apply.ts';
import { creatingTasks, insertJobTask } from './create.ts';
import { claimKey, savedResponse, saveResponse } from './idempotency.ts';
import { cancelJobOf } from './jobs/cancel-within.ts';
import { takingTurns, type Turns } from './lists/bounded-reads.ts';
import { reassignmentQueries, taskLocks } from './locks.ts';
import { performerSql } from './performer-sql.ts';
import { assignment } from './performers.ts';
import { taskReads } from './reads.ts';

/**
 * How long a transaction waits for one lock: a task being changed, the assignment lock, or an earlier request with the
 * same key.
 */
const lockTimeoutMs = 3_000;
/** A transaction that PostgreSQL ended in a deadlock has changed nothing, and nearly always succeeds when it runs again. */
const maxDeadlocks = 3;

/**
 * Creates the PostgreSQL task store. `policy` defines who is a performer; all processes that share these tasks must use
 * the same one. Lists take turns, which others may share.
 */
export function createTaskStore(
  db: Database,
  policy: PerformerPolicy = { requireVerifiedEmail: true },
  inTurn: Turns = takingTurns(db.pool.options.max ?? 1).lists,
): TaskStore {
  const performer = performerSql(policy);
  const insert = creatingTasks(performer);
  const { needReassignment } = reassignmentQueries(performer);

  async function transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    for (let deadlocks = 0; ;) {
      try {
        return await db.transaction(work, { lockTimeoutMs });
      } catch (error) {
        const isDeadlock = isSqlState(error, sqlState.deadlockDetected);
        if (isDeadlock && ++deadlocks < maxDeadlocks) continue;
        throw isDeadlock || isSqlState(error, sqlState.lockNotAvailable) ? busy(error) : error;
      }
    }
  }

  return {
    ...taskReads(db, inTurn),
    ...taskLocks(performer),
    ...assignment(performer),
    ...{ applyChange, applyChanges, insertJobTask, cancelJobOf, transaction },
    newTaskId,
    needReassignment: async () => await needReassignment(db.pool),

    once: async <S extends z.ZodType>(request: IdempotentRequest | undefined, work: (tx: Tx) => Promise<Document<S>>) =>
      await transaction(async (tx) => {
        const saved = request && (await claimKey<S>(tx, request));
        if (saved !== undefined) return saved;
        const response = await work(tx);
        if (request !== undefined) await saveResponse(tx, request, response);
        return { ...response, replayed: false };
      }),

    async createTask(task, request) {
      const created = await insert(db, task, { grounds: byUser, request }).catch((error: unknown) => {
        // this statement waits only for an earlier request with the same key, or for a performer who is being changed
        throw isSqlState(error, sqlState.queryCanceled) ? busy(error) : error;
      });
      if (created !== undefined) return { ...created, replayed: false };
      return (request && (await savedResponse<TaskSchema>(db.pool, request))) ?? 'ineligible';
    },

    createTaskWithin: async (tx, task) => await insert(tx, task, { grounds: byUser, request: undefined }),

    async insertTask(tx, task, grounds) {
      const created = await insert(tx, task, { grounds, request: undefined });
      if (created === undefined) throw new Error('the chosen performer is locked, but is not a performer');
      return created;
    },
  };
}

async function newTaskId(tx: Tx): Promise<string> {
  return onlyRow(await query<{ id: string }>(tx, 'SELECT uuidv7() AS id')).id;
}

function busy(cause: unknown): Problem {
  return problem('unavailable', 'The task is being changed by another request.', {
    headers: { 'Retry-After': '1' },
    cause,
  });
}
