import { problem, type Problem } from '@taskwire/errors';
import type { Tx } from '@taskwire/postgres';
import { mentionsIn } from '@taskwire/text';
import { authorizeRemoval, authorizeRevision, revise, type Comment, type CommentText } from '../../domain/comment.ts';
import { authorize } from '../../domain/permissions.ts';
import type { Actor } from '../../domain/task.ts';
import { loadForUpdate } from '../load-for-update.ts';
import type { IdempotentRequest, WriteResult } from '../ports.ts';
import { requireKnown, withKnownMentions } from './mentioned-users.ts';
import type { CommentDocument, CommentPorts, CommentSchema } from './ports.ts';

/** A user's command on one comment. `requireVersion` throws when the caller expects another version. */
export type CommentCommand = {
  actor: Actor;
  taskId: string;
  commentId: string;
  requireVersion: (version: number) => void;
};

type NewText = { actor: Actor; taskId: string; body: string; request: IdempotentRequest | undefined };

/** Adds a comment to a task. A replayed response also counts against the limit. */
export async function addComment(ports: CommentPorts, command: NewText): Promise<WriteResult<CommentSchema>> {
  const { tasks, comments, commenting } = ports;
  const { actor, taskId, body, request } = command;
  commenting.take(actor.id);
  return await withKnownMentions(
    ports,
    async () =>
      await tasks.once<CommentSchema>(request, async (tx) => {
        await lockDiscussedTask(tasks, tx, actor, taskId);
        const comment = { taskId, authorId: actor.id, ...textOf(body) };
        await requireKnown(comments, tx, comment.mentions);
        return await comments.insert(tx, comment);
      }),
  );
}

/** Replaces the text of a comment. The same text is no change. Users whom the old text mentions may have been deleted since. */
export async function changeComment(
  ports: CommentPorts,
  { body, ...command }: CommentCommand & { body: string },
): Promise<CommentDocument> {
  const { tasks, comments, commenting } = ports;
  commenting.take(command.actor.id);
  return await withKnownMentions(
    ports,
    async () =>
      await tasks.transaction(async (tx) => {
        const comment = await loadComment(ports, tx, command, authorizeRevision);
        const revision = revise(comment, textOf(body));
        if (revision !== undefined) await requireKnown(comments, tx, revision.added);
        return await comments.revise(tx, comment, revision);
      }),
  );
}

/** Deletes a comment permanently. */
export async function deleteComment(ports: CommentPorts, command: CommentCommand): Promise<void> {
  await ports.tasks.transaction(async (tx) => {
    const comment = await loadComment(ports, tx, command, authorizeRemoval);
    await ports.comments.remove(tx, comment, command.actor.id);
  });
}

/** The text as it is stored: well-formed Unicode. */
function textOf(given: string): CommentText {
  const body = given.toWellFormed();
  return { body, mentions: mentionsIn(body) };
}

async function lockDiscussedTask(tasks: CommentPorts['tasks'], tx: Tx, actor: Actor, taskId: string): Promise<void> {
  const requireVersion = () => undefined;
  await loadForUpdate(tasks, tx, { actor, taskId, requireVersion }, (found) => authorize('comment', actor, found));
}

/** Locks the task and then the comment; checks existence, permission and version. */
async function loadComment(
  { tasks, comments }: CommentPorts,
  tx: Tx,
  { actor, taskId, commentId, requireVersion }: CommentCommand,
  requirePermission: (actor: Actor, comment: Comment) => void,
): Promise<Comment> {
  await lockDiscussedTask(tasks, tx, actor, taskId);
  const comment = await comments.lock(tx, taskId, commentId);
  if (comment === undefined) throw noSuchComment();
  requirePermission(actor, comment);
  requireVersion(comment.version);
  return comment;
}

export function noSuchComment(): Problem {
  return problem('not_found', 'The task has no comment with this id.');
}
