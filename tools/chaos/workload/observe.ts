import type { Operation } from '../evidence.ts';
import type { Actor, KnownState } from './actors.ts';
import type { DependencyIntent, Role } from './intent.ts';

/** The pause after a failed log-in; Auth may be unavailable, or the account deleted. */
const loginPauseMs = 1_500;

/** Updates the known state from the result of an operation. */
export function observe(known: KnownState, operation: Operation, now: number): void {
  const { intent, outcome } = operation;
  const actor = 'actor' in intent ? known.users.get(intent.actor) : undefined;
  // access has been revoked, or the token has expired: the user must log in again
  if (actor !== undefined && operation.attempts.at(-1)?.status === 401) delete actor.token;
  if ('user' in intent) observeUser(known.users.get(intent.user), operation, now);
  if ('comment' in intent) observeComment(known, operation);
  if ('by' in intent && outcome === 'acknowledged') observeDependency(known, intent);
  if (intent.kind === 'create_task' && intent.parent !== undefined && outcome === 'acknowledged')
    known.parents.add(intent.parent);
  if (intent.kind === 'create_project' && operation.answer?.id !== undefined)
    known.projects.set(intent.project, { name: intent.project, id: operation.answer.id, members: new Set() });
  const members =
    'project' in intent && outcome === 'acknowledged' ? known.projects.get(intent.project)?.members : undefined;
  if (intent.kind === 'set_member') members?.add(intent.member);
  if (intent.kind === 'remove_member') members?.delete(intent.member);
  if ('task' in intent) observeTask(known, intent.task, operation);
  if (intent.kind === 'create_board' && operation.answer?.id !== undefined) known.board = operation.answer.id;
  if (intent.kind === 'move_task' && isGone(known, operation)) known.tasks.delete(intent.moved);
  if (actor !== undefined && intent.kind === 'list_tasks') setCursor(actor, 'tasks', operation);
  if (actor !== undefined && intent.kind === 'read_notifications') setCursor(actor, 'notifications', operation);
  if (outcome === 'acknowledged' && intent.kind === 'shuffle') {
    // the new assignees become known only from refusals and reads
    for (const task of known.tasks.values()) if (task.state === 'in_progress') task.state = 'assigned';
  }
}

function setCursor(actor: Actor, list: keyof Actor['cursors'], { answer }: Operation): void {
  actor.cursors[list] = answer?.next_cursor ?? undefined;
}

function observeUser(user: Actor | undefined, { intent, outcome, answer, attempts }: Operation, now: number): void {
  if (user === undefined) return;
  if (intent.kind === 'login') {
    const session = answer as { access_token?: string; user?: { id: string; role: Role } } | undefined;
    if (outcome === 'acknowledged' && session?.access_token !== undefined && session.user !== undefined) {
      user.token = session.access_token;
      user.id = session.user.id;
      user.role = session.user.role;
    } else user.loginAfter = now + loginPauseMs;
    return;
  }
  const status = attempts.at(-1)?.status;
  // a user whose deletion is uncertain is no longer used either
  if (intent.kind === 'delete_user' && outcome !== 'refused') user.isDeleted = true;
  if (status === 404 || status === 410) user.isDeleted = true;
  if (answer?.id !== undefined) user.id = answer.id;
  if (answer?.role !== undefined) user.role = answer.role as Role;
}

/** Whether a task does not exist. A 404 proves nothing for a member, who may be an outsider of the task's project. */
function isGone({ users }: KnownState, { intent, attempts }: Operation): boolean {
  const role = 'actor' in intent ? users.get(intent.actor)?.role : undefined;
  return attempts.at(-1)?.status === 404 && role !== 'member';
}

function isForbidden({ attempts }: Operation): boolean {
  return attempts.at(-1)?.status === 403;
}

function observeTask(known: KnownState, name: string, operation: Operation): void {
  const { intent, outcome, answer } = operation;
  const previous = known.tasks.get(name);
  if (isGone(known, operation) || (intent.kind === 'delete_task' && outcome === 'acknowledged')) {
    known.tasks.delete(name);
    if (previous !== undefined && intent.kind === 'delete_task') known.deleted.set(name, previous);
    if (intent.kind === 'restore_task') known.deleted.delete(name);
    return;
  }
  if (intent.kind === 'restore_task' && outcome === 'acknowledged') known.deleted.delete(name);
  // only the assignee carries out a task
  if (intent.kind === 'transition' && previous?.assigneeId === operation.actorId && isForbidden(operation))
    known.tasks.set(name, { ...previous, assigneeId: null });
  const {
    id,
    state,
    version,
    creator_id: creatorId,
    assignee_id: assigneeId,
    created_at: createdAt = '',
  } = answer ?? {};
  if (id === undefined || state === undefined || version === undefined || creatorId === undefined) return;
  if (previous !== undefined && previous.version > version) return;
  const isInProject = typeof answer?.project_id === 'string';
  const wasInProject = isInProject || previous?.wasInProject === true;
  const places = { isInProject, wasInProject };
  known.tasks.set(name, { name, id, state, version, creatorId, assigneeId: assigneeId ?? null, createdAt, ...places });
}

function observeDependency({ dependencies }: KnownState, { kind, on, by }: DependencyIntent): void {
  if (kind === 'add_blocker') dependencies.add(`${on} ${by}`);
  else dependencies.delete(`${on} ${by}`);
}

function observeComment(known: KnownState, { intent, answer, actorId, subjectId, outcome, attempts }: Operation): void {
  if (!('comment' in intent)) return;
  const { comment: name } = intent;
  if (attempts.at(-1)?.status === 404 || (intent.kind === 'delete_comment' && outcome === 'acknowledged'))
    known.comments.delete(name);
  const { id, version } = answer ?? {};
  if (
    intent.kind === 'add_comment' &&
    id !== undefined &&
    version !== undefined &&
    actorId !== null &&
    subjectId !== null
  )
    known.comments.set(name, { name, id, version, taskId: subjectId, authorId: actorId, mentions: intent.mentions });
  const comment = known.comments.get(name);
  if (intent.kind === 'change_comment' && comment !== undefined && version !== undefined)
    Object.assign(comment, { version, mentions: intent.mentions });
}
