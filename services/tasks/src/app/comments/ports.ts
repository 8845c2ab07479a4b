import type { commentRoutes, JsonText } from '@taskwire/contracts';
import type { Page, Place, Tx } from '@taskwire/postgres';
import type { Comment, NewComment, Revision } from '../../domain/comment.ts';
import type { Reader } from '../../domain/projects/reader.ts';
import type { Document, TaskStore } from '../ports.ts';
import type { UserLimit } from '../user-limit.ts';

export type CommentSchema = (typeof commentRoutes.getComment.responses)[200];
export type CommentDocument = Document<CommentSchema>;

/**
 * The store of comments. Each write also stores its activity entry and its event. The caller has locked the task, so its comments are written one at
 * a time.
 */
export type CommentStore = {
  /** Undefined if the task has no such comment, is deleted, or is not readable. */
  read(taskId: string, id: string, reader: Reader): Promise<CommentDocument | undefined>;
  /** Oldest first; undefined when the task doesn't exist or is not readable. */
  list(taskId: string, reader: Reader, place: Place): Promise<Page<JsonText<CommentSchema>> | undefined>;
  lock(tx: Tx, taskId: string, id: string): Promise<Comment | undefined>;
  insert(tx: Tx, comment: NewComment): Promise<CommentDocument>;
  /** An undefined revision changes nothing. */
  revise(tx: Tx, comment: Comment, revision: Revision | undefined): Promise<CommentDocument>;
  remove(tx: Tx, comment: Comment, actorId: string): Promise<void>;
  /** Returns the given users whom the directory doesn't know, or knows as deleted. */
  unknownUsers(tx: Tx, ids: readonly string[]): Promise<string[]>;
};

export type MentionedUsers = {
  /**
   * Whether the user exists and is not deleted; queries Auth when the directory doesn't know the user yet.
   * @throws Problem `unavailable` when Auth is unavailable.
   */
  exists(userId: string): Promise<boolean>;
};

export type CommentPorts = {
  tasks: Pick<TaskStore, 'lockTask' | 'once' | 'transaction'>;
  comments: CommentStore;
  users: MentionedUsers;
  /** Limits how often a user may add or change comments. */
  commenting: UserLimit;
};
