import { gather, isSqlState, sqlState, type Database } from '@taskwire/postgres';
import type { Job } from './job.ts';
import type { Effect } from './outcome.ts';
import { rememberUnblocked } from './received-jobs.ts';

/** `refused`: the message is already done or recorded, or an earlier message with the same key is not completed. A refused message has no effect. */
export type CommitResult = 'committed' | 'refused';

/** With more effects, a transaction would hold the locks of its first effects for too long. */
const maxTogether = 50;
/**
 * A transaction that was aborted in a deadlock succeeds on its first or second retry when it runs alone. More conflicts indicate a bug in the effect.
 */
const maxConflicts = 3;

/**
 * Commits effects together with the rows that remember their messages. Effects that are ready at the same time share one transaction, since a commit
 * costs more than most effects. If that transaction fails, each effect runs alone, so that one failure does not affect the others.
 * @returns a function that commits one effect, and rejects with the error of that effect.
 */
export function createCommitter(db: Database): (job: Job, effect: Effect | undefined) => Promise<CommitResult> {
  type Item = { job: Job; effect: Effect | undefined };

  async function commit(items: readonly Item[]): Promise<CommitResult[]> {
    return await db.transaction(async (tx) => {
      const accepted = await rememberUnblocked(
        tx,
        items.map(({ job }) => job),
      );
      for (const place of accepted) await items[place]?.effect?.(tx);
      return [...items.keys()].map((place) => (accepted.has(place) ? 'committed' : 'refused'));
    });
  }

  async function commitAlone(item: Item): Promise<CommitResult> {
    for (let conflicts = 1; ; conflicts++) {
      try {
        const [result] = await commit([item]);
        return result ?? 'refused';
      } catch (error) {
        if (conflicts === maxConflicts || !isConflict(error)) throw error;
      }
    }
  }

  const enqueue = gather<Item, CommitResult>({
    name: 'commit effects of messages',
    maxItems: maxTogether,
    together: commit,
    alone: commitAlone,
  });
  return async (job, effect) => await enqueue({ job, effect });
}

export function isConflict(error: unknown): boolean {
  return isSqlState(error, sqlState.deadlockDetected) || isSqlState(error, sqlState.serializationFailure);
}
