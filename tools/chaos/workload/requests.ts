import { randomUUID } from 'node:crypto';
import type { Actor, KnownComment, KnownProject, KnownState } from './actors.ts';
import type { Intent, ProjectIntent } from './intent.ts';

/** A request sent through the gateway. */
export type WireRequest = {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string;
  body?: object;
  as: Actor | undefined;
  ip: string;
  subjectId: string | null;
  headers: Record<string, string>;
  /** Whether the request can be sent again without a second effect. */
  repeatable: boolean;
};

/** Returns the request for an intent; undefined if a user or task in it is not known or no longer known, or if the actor is not logged in. */
export function requestOf(intent: Intent, known: KnownState): WireRequest | undefined {
  const as = 'actor' in intent ? known.users.get(intent.actor) : undefined;
  if ('actor' in intent && as?.token === undefined) return undefined;
  const get = (path: string): WireRequest => ({ ...base(as), method: 'GET', path, repeatable: true });
  const once = (path: string, body?: object): WireRequest => ({
    ...base(as),
    ...{ method: 'POST', path, repeatable: true },
    ...(body !== undefined && { body }),
    headers: { 'idempotency-key': randomUUID() },
  });
  const task = 'task' in intent ? known.tasks.get(intent.task) : undefined;
  const user = 'user' in intent ? known.users.get(intent.user) : undefined;
  // the password, because a log-in may be too old for these requests, or appear too old after the clock of a service has jumped
  const proof = as === undefined ? {} : { current_password: as.password };

  switch (intent.kind) {
    case 'register': {
      const { email, password, name, ip } = user ?? known.addUser(intent.user, 'member');
      // a repeated request finds the address taken
      return {
        ...base(undefined),
        ip,
        method: 'POST',
        path: '/api/v1/auth/register',
        body: { email, password, name },
        repeatable: true,
      };
    }
    case 'login':
      return user && loginRequest(user);
    case 'create_user': {
      const { email, password, name, role } = user ?? known.addUser(intent.user, intent.role);
      return {
        ...base(as),
        method: 'POST',
        path: '/api/v1/users',
        body: { email, password, name, role, ...proof },
        repeatable: true,
      };
    }
    case 'rename_user':
      return user?.id === undefined ? undefined : onUser(as, user.id, 'PATCH', { name: intent.name });
    case 'change_role':
      return user?.id === undefined ? undefined : onUser(as, user.id, 'PATCH', { role: intent.role, ...proof });
    case 'delete_user':
      return user?.id === undefined ? undefined : onUser(as, user.id, 'DELETE', proof);
    case 'create_task': {
      const whom = assignment(intent.to, known);
      const due = intent.dueInMs === undefined ? {} : { due_at: new Date(Date.now() + intent.dueInMs).toISOString() };
      const parent = intent.parent === undefined ? undefined : known.tasks.get(intent.parent);
      if (intent.parent !== undefined && parent === undefined) return undefined;
      const project = intent.in === undefined ? undefined : known.projects.get(intent.in);
      if (intent.in !== undefined && project === undefined) return undefined;
      const place = {
        ...(parent !== undefined && { parent_id: parent.id }),
        ...(project !== undefined && { project_id: project.id }),
      };
      return whom && once('/api/v1/tasks', { title: intent.task, ...whom, ...due, ...place });
    }
    case 'assign': {
      const whom = assignment(intent.to, known);
      return task && whom && { ...once(`/api/v1/tasks/${task.id}/assign`, whom), subjectId: task.id };
    }
    case 'transition':
      return task && { ...once(`/api/v1/tasks/${task.id}/transition`, { state: intent.state }), subjectId: task.id };
    case 'edit_task':
      return task && onTask(as, task, 'PATCH', { title: intent.title });
    case 'delete_task':
      return task && onTask(as, task, 'DELETE');
    case 'add_blocker':
    case 'remove_blocker': {
      const [on, by] = [known.tasks.get(intent.on), known.tasks.get(intent.by)];
      if (on === undefined || by === undefined) return undefined;
      const method = intent.kind === 'add_blocker' ? 'PUT' : 'DELETE';
      const path = `/api/v1/tasks/${on.id}/blocked_by/${by.id}`;
      return { ...base(as), method, path, subjectId: on.id, repeatable: true };
    }
    case 'add_comment': {
      const on = known.tasks.get(intent.on);
      const body = commentText(intent, known);
      return on && { ...once(`/api/v1/tasks/${on.id}/comments`, { body }), subjectId: on.id };
    }
    case 'change_comment':
      return onComment(as, known.comments.get(intent.comment), 'PATCH', { body: commentText(intent, known) });
    case 'delete_comment':
      return onComment(as, known.comments.get(intent.comment), 'DELETE');
    case 'restore_task': {
      const deleted = known.deleted.get(intent.task);
      return deleted && { ...once(`/api/v1/tasks/${deleted.id}/restore`), subjectId: deleted.id };
    }
    case 'bulk':
      return once('/api/v1/tasks/bulk', bulkBody(intent));
    case 'create_board':
      return once('/api/v1/views', { name: intent.board, shared: true, sort: 'manual' });
    case 'move_task': {
      const [moved, beside] = [known.tasks.get(intent.moved), known.tasks.get(intent.beside)];
      if (moved === undefined || beside === undefined || known.board === undefined) return undefined;
      const body = { view_id: known.board, [intent.side]: beside.id };
      const path = `/api/v1/tasks/${moved.id}/move`;
      return { ...base(as), method: 'POST', path, body, subjectId: moved.id, repeatable: true };
    }
    case 'create_project':
      return once('/api/v1/projects', { name: intent.project });
    case 'move_to_project': {
      const project = intent.into === null ? null : known.projects.get(intent.into);
      return task && project !== undefined ? onTask(as, task, 'PATCH', { project_id: project?.id ?? null }) : undefined;
    }
    case 'set_member':
    case 'remove_member':
      return onMember(as, known.projects.get(intent.project), known.users.get(intent.member), intent);
    case 'shuffle':
      return once('/api/v1/tasks/shuffle');
    case 'read_task':
      return task && { ...get(`/api/v1/tasks/${task.id}`), subjectId: task.id };
    case 'read_activity':
    case 'read_past': {
      const of = known.tasks.get(intent.of);
      const part = intent.kind === 'read_activity' ? '/activity?limit=100' : `?at=${of?.createdAt}`;
      return of && { ...get(`/api/v1/tasks/${of.id}${part}`), subjectId: of.id };
    }
    case 'list_tasks':
      return get(`/api/v1/tasks?limit=20${from(as?.cursors.tasks)}`);
    case 'read_notifications':
      return get(`/api/v1/notifications?limit=20${from(as?.cursors.notifications)}`);
  }
}

/** Creates the tasks, and changes the title of the first one. */
function bulkBody({ tasks, atomic }: Extract<Intent, { kind: 'bulk' }>): object {
  const creations = tasks.map((title) => ({ op: 'create', body: { title } }));
  return { atomic, operations: [...creations, { op: 'change', ref: '$0', body: { title: `${tasks[0]} changed` } }] };
}

/** Returns the query for the next page of a list, or for its first page. */
function from(cursor: string | undefined): string {
  return cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
}

function loginRequest(user: Actor): WireRequest {
  const { email, password, ip } = user;
  return {
    ...base(undefined),
    ip,
    method: 'POST',
    path: '/api/v1/auth/login',
    body: { email, password },
    repeatable: true,
  };
}

function base(as: Actor | undefined): Pick<WireRequest, 'as' | 'ip' | 'subjectId' | 'headers'> {
  return { as, ip: as?.ip ?? '10.9.9.9', subjectId: null, headers: {} };
}

function onUser(as: Actor | undefined, id: string, method: 'PATCH' | 'DELETE', body?: object): WireRequest {
  return {
    ...base(as),
    ...{ method, path: `/api/v1/users/${id}`, subjectId: id, repeatable: false },
    ...(body && { body }),
    headers: { 'if-match': '*' },
  };
}

function onMember(
  as: Actor | undefined,
  project: KnownProject | undefined,
  member: Actor | undefined,
  intent: Extract<ProjectIntent, { member: string }>,
): WireRequest | undefined {
  if (project === undefined || member?.id === undefined) return undefined;
  const path = `/api/v1/projects/${project.id}/members/${member.id}`;
  const about = { ...base(as), path, subjectId: member.id, repeatable: false };
  return intent.kind === 'set_member'
    ? { ...about, method: 'PUT', body: { role: intent.role } }
    : { ...about, method: 'DELETE' };
}

/** Returns a request on a task. Every second change requires the last seen version. */
function onTask(
  as: Actor | undefined,
  task: { id: string; version: number },
  method: 'PATCH' | 'DELETE',
  body?: object,
): WireRequest {
  return {
    ...base(as),
    ...{ method, path: `/api/v1/tasks/${task.id}`, subjectId: task.id, repeatable: false },
    ...(body && { body }),
    headers: { 'if-match': task.version % 2 === 0 ? '*' : `"${task.version}"` },
  };
}

/** Returns the text of a comment: its name, the name of the edit, and the mentions. */
function commentText(
  { comment, edit, mentions }: { comment: string; edit?: string; mentions: readonly string[] },
  known: KnownState,
): string {
  const ids = mentions.flatMap((name) => known.users.get(name)?.id ?? []);
  return [comment, ...(edit === undefined ? [] : [edit]), ...ids.map((id) => `<@${id}>`)].join(' ');
}

/** Returns a request on a comment. Every second change requires the last seen version. */
function onComment(
  as: Actor | undefined,
  comment: KnownComment | undefined,
  method: 'PATCH' | 'DELETE',
  body?: object,
): WireRequest | undefined {
  if (comment === undefined) return undefined;
  const { id, taskId } = comment;
  const request = onTask(as, { ...comment, id: `${taskId}/comments/${id}` }, method, body);
  return { ...request, subjectId: id };
}

function assignment(to: string | undefined, known: KnownState): object | undefined {
  if (to === undefined) return {};
  if (to === 'random') return { assign: 'random' };
  const id = known.users.get(to)?.id;
  return id === undefined ? undefined : { assignee_id: id };
}
