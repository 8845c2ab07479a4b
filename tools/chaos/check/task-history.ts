import type { ActivityRow, Evidence, TaskRow } from '../evidence.ts';

/** An event required by a change. */
export type ExpectedEvent = { type: string; named: string | null };

/** One version of a task, and the change that produced that version. */
export type TaskVersion = {
  version: number;
  /** The time of the change. */
  at: string;
  actor: string | null;
  entries: ActivityRow[];
  title: unknown;
  state: string;
  assigneeId: string | null;
  projectId: string | null;
  /** The events of this change, in order. */
  expectedEvents: ExpectedEvent[];
};

/** A reminder of a due date. It has an entry in the activity log, but is no version. */
export type LoggedReminder = { at: string; kind: string; dueAt: unknown; expectedEvents: ExpectedEvent[] };

/** A change of the dependencies of a task, or the end of its last blocker. It has an entry in the activity log, but is no version. */
export type LoggedWait = { at: string; actor: string | null; expectedEvents: ExpectedEvent[] };

export type TaskHistory = { task: TaskRow; versions: TaskVersion[]; reminders: LoggedReminder[]; waits: LoggedWait[] };

/**
 * Returns the history of every task, reconstructed only from the activity log. All entries of one change have the same time and every change has
 * entries, so the n-th time is that of version n. Entries of reminders, comments and dependencies belong to no version.
 */
export function taskHistories({ world }: Pick<Evidence, 'world'>): Map<string, TaskHistory> {
  const entries = Map.groupBy(world.activity, ({ task_id }) => task_id);
  return new Map(
    world.tasks.map((task) => {
      const ofTask = (entries.get(task.id) ?? []).filter((entry) => !isOfComment(entry));
      const [reminded, others] = partition(ofTask, isReminder);
      const [waiting, changed] = partition(others, isOfWait);
      const versions = versionsOf(task, changed);
      const reminders = reminded.map((entry) => reminderOf(entry, versions));
      return [task.id, { task, versions, reminders, waits: waiting.map((entry) => waitOf(entry, versions)) }];
    }),
  );
}

function versionsOf(task: TaskRow, entries: ActivityRow[]): TaskVersion[] {
  const inOrder = entries.toSorted((a, b) => a.seq - b.seq);
  const first = <T>(name: string, last: T): T => {
    const entry = inOrder.find(({ field }) => field === name);
    return entry === undefined ? last : (entry.from as T);
  };
  let now = {
    title: first<unknown>('title', task.title),
    projectId: first('project_id', task.project_id),
    ...{ state: 'draft', assigneeId: null as string | null },
  };
  return [...Map.groupBy(inOrder, ({ created_at }) => created_at)].map(([at, changes], index) => {
    for (const entry of changes) now = after(now, entry);
    const actor = changes[0]?.actor_id ?? null;
    return {
      version: index + 1,
      at,
      actor,
      entries: changes,
      ...now,
      expectedEvents: eventsOf(changes, now.assigneeId),
    };
  });
}

function after<S extends Pick<TaskVersion, 'title' | 'state' | 'assigneeId' | 'projectId'>>(
  now: S,
  { action, field, to }: ActivityRow,
): S {
  switch (action) {
    case 'changed':
      if (field === 'project_id') return { ...now, projectId: to as string | null };
      return field === 'title' ? { ...now, title: to } : now;
    case 'assigned':
      return { ...now, state: 'assigned', assigneeId: to as string };
    case 'unassigned':
      return { ...now, state: 'draft', assigneeId: null };
    case 'started':
      return { ...now, state: 'in_progress' };
    case 'completed':
    case 'cancelled':
      return { ...now, state: action };
    default:
      return now;
  }
}

/** A new task publishes `created` and `changed`; a change of several fields publishes one `changed`. */
function eventsOf(changes: readonly ActivityRow[], assigneeId: string | null): ExpectedEvent[] {
  const fieldChanges = changes.filter(({ action }) => action === 'changed');
  return changes.flatMap((entry): ExpectedEvent[] => {
    switch (entry.action) {
      case 'created':
        return [expectedEvent('created', null), expectedEvent('changed', null)];
      case 'changed':
        return entry === fieldChanges[0] ? [expectedEvent('changed', null)] : [];
      case 'assigned':
        return [expectedEvent('assigned', entry.to as string)];
      case 'unassigned':
        return [expectedEvent('unassigned', entry.from as string)];
      case 'deleted':
      case 'restored':
        return [expectedEvent(entry.action, null)];
      default:
        return [expectedEvent(entry.action, assigneeId)];
    }
  });
}

function expectedEvent(action: string, named: string | null): ExpectedEvent {
  return { type: `tasks.task.${action}`, named };
}

/** The ids of all tasks that were ever deleted, including those restored later: while a task was deleted, notifications about it were omitted. */
export function everDeleted({ activity }: Pick<Evidence['world'], 'activity'>): ReadonlySet<string> {
  return new Set(activity.flatMap(({ action, task_id }) => (action === 'deleted' ? [task_id] : [])));
}

/** The ids of the tasks that were in a project at some time, in which some users could not read them. */
export function everInProject({ tasks, activity }: Evidence['world']): ReadonlySet<string> {
  const moved = activity.flatMap(({ field, task_id }) => (field === 'project_id' ? [task_id] : []));
  return new Set([...moved, ...tasks.flatMap(({ id, project_id }) => (project_id === null ? [] : [id]))]);
}

/** The ids of the tasks that were below another one at some time. A restored task leaves a parent that was moved to another project. */
export function everBelow({ tasks, activity }: Evidence['world']): ReadonlySet<string> {
  const moved = activity.flatMap(({ field, task_id }) => (field === 'parent_id' ? [task_id] : []));
  return new Set([...moved, ...tasks.flatMap(({ id, parent_id }) => (parent_id === null ? [] : [id]))]);
}

/** Whether an entry is about a comment of the task. */
export function isOfComment({ action }: ActivityRow): boolean {
  return action.startsWith('comment_');
}

function isOfWait({ action }: ActivityRow): boolean {
  return action === 'blocker_added' || action === 'blocker_removed' || action === 'unblocked';
}

/** Only `unblocked` names the assignee. */
function waitOf(
  { action, actor_id: actor, created_at: at }: ActivityRow,
  versions: readonly TaskVersion[],
): LoggedWait {
  const named = action === 'unblocked' ? assigneeAt(versions, at) : null;
  return { at, actor, expectedEvents: [expectedEvent(action, named)] };
}

function assigneeAt(versions: readonly TaskVersion[], at: string): string | null {
  return versions.findLast((version) => version.at <= at)?.assigneeId ?? null;
}

function isReminder({ action }: ActivityRow): boolean {
  return action === 'due_soon' || action === 'overdue' || action === 'due_soon_skipped';
}

/** A reminder names the assignee at its time, and the system sends it. A skipped reminder has no event. */
function reminderOf(
  { action, created_at: at, to: dueAt }: ActivityRow,
  versions: readonly TaskVersion[],
): LoggedReminder {
  const assigneeId = assigneeAt(versions, at);
  const expectedEvents = action === 'due_soon_skipped' ? [] : [expectedEvent(action, assigneeId)];
  return { at, kind: action, dueAt, expectedEvents };
}

function partition<T>(list: readonly T[], test: (item: T) => boolean): [T[], T[]] {
  return [list.filter(test), list.filter((item) => !test(item))];
}
