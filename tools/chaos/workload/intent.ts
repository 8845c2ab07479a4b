/**
 * A user's intended action. Users and tasks have names that are the same in a replay (`u3`, `t17`), because their ids are not known before they are
 * created.
 */
export type Intent =
  | { kind: 'register'; user: string }
  | { kind: 'login'; user: string }
  | { kind: 'create_user'; actor: string; user: string; role: Role }
  | { kind: 'rename_user'; actor: string; user: string; name: string }
  | { kind: 'change_role'; actor: string; user: string; role: Role }
  | { kind: 'delete_user'; actor: string; user: string }
  /** `to`: a user's name, or `random`; absent for a draft. `dueInMs`: the time from the request to the due date. `parent`: a task's name; `in`: a project's. */
  | { kind: 'create_task'; actor: string; task: string; to?: string; dueInMs?: number; parent?: string; in?: string }
  | { kind: 'assign'; actor: string; task: string; to: string }
  | { kind: 'transition'; actor: string; task: string; state: 'in_progress' | 'completed' | 'cancelled' }
  | { kind: 'edit_task'; actor: string; task: string; title: string }
  | { kind: 'delete_task'; actor: string; task: string }
  | CommentIntent
  | UndoIntent
  | DependencyIntent
  | ProjectIntent
  | { kind: 'shuffle'; actor: string }
  | { kind: 'read_task'; actor: string; task: string }
  | { kind: 'list_tasks'; actor: string }
  | { kind: 'read_notifications'; actor: string };

/** `comment`: a name that begins the text; `edit` distinguishes a changed text; `mentions`: names of users. */
export type CommentIntent =
  | { kind: 'add_comment'; actor: string; on: string; comment: string; mentions: string[] }
  | { kind: 'change_comment'; actor: string; comment: string; edit: string; mentions: string[] }
  | { kind: 'delete_comment'; actor: string; comment: string };

/** `tasks`: the names of the tasks to create, in one bulk request. `beside`: a task of the board. */
export type UndoIntent =
  | { kind: 'restore_task'; actor: string; task: string }
  | { kind: 'bulk'; actor: string; tasks: string[]; atomic: boolean }
  | { kind: 'create_board'; actor: string; board: string }
  | { kind: 'move_task'; actor: string; moved: string; beside: string; side: 'before_id' | 'after_id' };
/** `on`: the name of the task that waits; `by`: that of its blocker. */
export type DependencyIntent = { kind: 'add_blocker' | 'remove_blocker'; actor: string; on: string; by: string };

/** `project`: a name; `member`: the name of a user. */
export type ProjectIntent =
  | { kind: 'create_project'; actor: string; project: string }
  | { kind: 'set_member'; actor: string; project: string; member: string; role: 'lead' | 'contributor' | 'viewer' }
  | { kind: 'remove_member'; actor: string; project: string; member: string }
  /** `into`: the name of a project, or null for none. */
  | { kind: 'move_to_project'; actor: string; task: string; into: string | null }
  /** Reads the activity log of a task, or its state when it was created. `of`: the name of the task. */
  | { kind: 'read_activity' | 'read_past'; actor: string; of: string };

export type Role = 'admin' | 'manager' | 'member';

/** A variation of the request that makes its outcome unknown or sends it twice. */
export type Twist =
  | { kind: 'none' }
  /** The caller abandons the first attempt after this number of milliseconds. */
  | { kind: 'impatient'; ms: number }
  /** Two concurrent requests with one Idempotency-Key. */
  | { kind: 'twice_at_once' }
  /** The request is sent again after it was acknowledged, with the same Idempotency-Key. */
  | { kind: 'again' };
