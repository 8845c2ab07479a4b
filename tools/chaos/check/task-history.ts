import type { ActivityRow, Evidence, TaskRow } from '../evidence.ts';

/** An event required by a change. */
export type ExpectedEvent = { type: string; named: string | null };

/** A task at one of its versions, and the change that produced that version. */
export type TaskVersion = {
  version: number;
  /** The time of the change. */
  at: string;
  actor: string | null;
  entries: ActivityRow[];
  title: unknown;
  state: string;
  assigneeId: string | null;
  /** The events of this change, in order. */
  expectedEvents: ExpectedEvent[];
};

export type TaskHistory = { task: TaskRow; versions: TaskVersion[] };

/**
 * The history of every task, reconstructed from its activity log alone. All entries of one change have the same time and every change has entries, so
 * the n-th time is that of version n.
 */
export function taskHistories({ world }: Pick<Evidence, 'world'>): Map<string, TaskHistory> {
  const entries = Map.groupBy(world.activity, ({ task_id }) => task_id);
  return new Map(
    world.tasks.map((task) => [task.id, { task, versions: versionsOf(task, entries.get(task.id) ?? []) }]),
  );
}

function versionsOf(task: TaskRow, entries: ActivityRow[]): TaskVersion[] {
  const inOrder = entries.toSorted((a, b) => a.seq - b.seq);
  const firstTitle = inOrder.find(({ field }) => field === 'title')?.from ?? task.title;
  let now = { title: firstTitle, state: 'draft', assigneeId: null as string | null };
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

function after<S extends Pick<TaskVersion, 'title' | 'state' | 'assigneeId'>>(
  now: S,
  { action, field, to }: ActivityRow,
): S {
  switch (action) {
    case 'changed':
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
        return [expectedEvent('deleted', null)];
      default:
        return [expectedEvent(entry.action, assigneeId)];
    }
  });
}

function expectedEvent(action: string, named: string | null): ExpectedEvent {
  return { type: `tasks.task.${action}`, named };
}
