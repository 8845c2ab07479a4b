import { fieldProblem, type Problem } from '@taskwire/errors';
import type { Tx } from '@taskwire/postgres';
import type { CommentPorts, CommentStore } from './ports.ts';

/** Rolls back a write whose text mentions users whom the directory doesn't know. */
class UnknownMentions extends Error {
  readonly ids: readonly string[];

  constructor(ids: readonly string[]) {
    super(`the directory does not know ${ids.join(', ')}`);
    this.ids = ids;
  }
}

/** @throws UnknownMentions, for `withKnownMentions`. */
export async function requireKnown(
  comments: Pick<CommentStore, 'unknownUsers'>,
  tx: Tx,
  ids: readonly string[],
): Promise<void> {
  const unknown = ids.length === 0 ? [] : await comments.unknownUsers(tx, ids);
  if (unknown.length > 0) throw new UnknownMentions(unknown);
}

/**
 * Runs a write that calls `requireKnown`. If the directory doesn't know a mentioned user yet, the write runs again after the user was looked up in Auth,
 * so that no transaction waits for another service.
 * @throws Problem `unknown_mention`; `unavailable` when Auth is needed and unavailable.
 */
export async function withKnownMentions<T>(
  { users }: Pick<CommentPorts, 'users'>,
  write: () => Promise<T>,
): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (!(error instanceof UnknownMentions)) throw error;
    // stop at the first user who doesn't exist, so that one request can't cause 50 look-ups
    for (const id of error.ids) if (!(await users.exists(id))) throw unknownMention(id);
  }
  try {
    return await write();
  } catch (error) {
    throw error instanceof UnknownMentions ? unknownMention(error.ids[0] ?? '') : error;
  }
}

function unknownMention(id: string): Problem {
  const message = `mentions ${id}, which is not the id of a user`;
  return fieldProblem('unknown_mention', { field: 'body', message, detail: 'Mention existing users only.' });
}
