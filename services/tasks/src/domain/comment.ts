import { problem } from '@taskwire/errors';
import type { Actor } from './task.ts';

export type CommentText = {
  body: string;
  /** The ids of the mentioned users, in the order of their first mention. */
  mentions: readonly string[];
};

export type NewComment = CommentText & { taskId: string; authorId: string };

/** A comment as stored, without its timestamps, which the database maintains. `everMentioned`: the users whom any of its texts mentioned. */
export type Comment = NewComment & { id: string; version: number; everMentioned: readonly string[] };

/** A new text of a comment. `added`: the users whom the old text did not mention; `first`: those of them whom no earlier text mentioned either. */
export type Revision = CommentText & { added: readonly string[]; first: readonly string[] };

/** Returns undefined if the text stays the same. */
export function revise(comment: Comment, { body, mentions }: CommentText): Revision | undefined {
  if (body === comment.body) return undefined;
  const added = mentions.filter((id) => !comment.mentions.includes(id));
  return { body, mentions, added, first: added.filter((id) => !comment.everMentioned.includes(id)) };
}

/** @throws Problem `forbidden` unless the actor wrote the comment. */
export function authorizeRevision(actor: Actor, { authorId }: Comment): void {
  if (actor.id !== authorId) throw problem('forbidden', 'Only the author can change a comment.');
}

/** @throws Problem `forbidden` unless the actor wrote the comment or is an admin. */
export function authorizeRemoval(actor: Actor, { authorId }: Comment): void {
  if (actor.id !== authorId && actor.role !== 'admin')
    throw problem('forbidden', 'Only the author and admins can delete a comment.');
}
