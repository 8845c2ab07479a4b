import { problem, type Problem } from '@taskwire/errors';
import { isSqlState, sqlState, type Database, type Tx } from '@taskwire/postgres';
import type { IdempotentRequest, TaskStore, TaskTransaction } from '../app/ports.ts';
import { applyChange, applyChanges } from './apply.ts';
import type { PerformerPolicy } from '../domain/performer.ts';
import { choosing, takeTurn, type Choosing } from './choice.ts';
import { insertingTasks, type InsertTask } from './create.ts';
import { claimKey, earlierAnswer, keepAnswer } from './idempotency.ts';
import { lockAwaiting, lockOpen, lockTask, settling, type Settling } from './locks.ts';
import { performerSql } from './performer-sql.ts';
import { taskReads } from './reads.ts';

/**
 * How long a transaction waits for one lock: a task being changed, the assignment lock, or an earlier request with the
 * same key.
 */
const lockTimeoutMs = 3_000;

function busy(cause: unknown): Problem {
  return problem('unavailable', 'The task is being changed by another request.', {
    headers: { 'Retry-After': '1' },
    cause,
  });
}

/** The statements that depend on the performer policy. */
type Statements = Choosing & Settling & { insertTask: InsertTask };

/**
 * Creates the PostgreSQL task store. `policy` defines who is a performer; all processes that share these tasks must use
 * the same one.
 */
export function createTaskStore(db: Database, policy: PerformerPolicy = { requireVerifiedEmail: true }): TaskStore {
  const performer = performerSql(policy);
  const statements = { ...choosing(performer), ...settling(performer), insertTask: insertingTasks(performer) };
  const { insertTask, needSettling } = statements;

  async function transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    try {
      return await db.transaction(work, { lockTimeoutMs });
    } catch (error) {
      if (!isSqlState(error, sqlState.lockNotAvailable)) throw error;
      throw busy(error);
    }
  }

  return {
    ...taskReads(db.pool),

    create: async (task, request) => {
      const created = await insertTask(db, task, null, request).catch((error: unknown) => {
        // this statement waits only for an earlier request with the same key, or for a performer who is being changed
        throw isSqlState(error, sqlState.queryCanceled) ? busy(error) : error;
      });
      if (created !== undefined) return { ...created, replayed: false };
      const earlier = request && (await earlierAnswer(db.pool, request));
      return earlier ?? 'no performer';
    },

    once: async (request, work) =>
      await transaction(async (tx) => {
        if (request === undefined) return { ...(await work(taskTransaction(tx, statements))), replayed: false };
        const earlier = await claimOrRead(tx, request);
        if (earlier !== undefined) return earlier;
        const answer = await work(taskTransaction(tx, statements));
        await keepAnswer(tx, request, answer);
        return { ...answer, replayed: false };
      }),

    transaction: async (work) => await transaction(async (tx) => await work(taskTransaction(tx, statements))),
    needSettling: async () => await needSettling(db.pool),
  };
}

/** Claims the key and returns undefined, or returns the response stored under it. */
async function claimOrRead(tx: Tx, request: IdempotentRequest) {
  try {
    if (await claimKey(tx, request)) return undefined;
  } catch (error) {
    if (!isSqlState(error, sqlState.lockNotAvailable)) throw error;
    throw problem('idempotency_in_progress', 'Try again in a moment.', {
      headers: { 'Retry-After': '1' },
      cause: error,
    });
  }
  return await earlierAnswer(tx, request);
}

function taskTransaction(tx: Tx, statements: Statements): TaskTransaction {
  const { lockStranded, insertTask, chooseFairest, lockPerformers, lockStanding } = statements;
  return {
    lock: async (id) => await lockTask(tx, id),
    lockOpen: async () => await lockOpen(tx),
    lockStranded: async (limit) => await lockStranded(tx, limit),
    lockAwaiting: async (limit) => await lockAwaiting(tx, limit),
    create: async (task, reason) => {
      const created = await insertTask(tx, task, reason, undefined);
      if (created === undefined) throw new Error('the chosen performer is locked and yet none');
      return created;
    },
    apply: async (task, change, actorId) => await applyChange(tx, task, change, actorId),
    applyAll: async (changes, actorId) => await applyChanges(tx, changes, actorId),
    takeTurn: async () => await takeTurn(tx),
    chooseFairly: async (taskId) => await chooseFairest(tx, taskId),
    lockPerformers: async () => await lockPerformers(tx),
    lockStanding: async (userId) => await lockStanding(tx, userId),
  };
}
