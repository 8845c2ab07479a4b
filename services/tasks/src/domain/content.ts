import { unassignment } from './assignment.ts';
import { changeOf, noChange, type Change, type LogEntry } from './change.ts';
import { changeDueDate } from './due-date.ts';
import { isOpen, type Task, type TaskFields } from './task.ts';

/** The fields that an edit may change: the content, and the place in a tree of tasks and a project. */
type Edited = TaskFields & Pick<Task, 'parent_id' | 'project_id'>;

const fieldNames = [
  ...(['title', 'description', 'priority', 'due_at', 'due_time_zone', 'due_all_day', 'remind_before'] as const),
  ...(['labels', 'parent_id', 'project_id'] as const),
] as const satisfies (keyof Edited)[];

/** Normalises user-written text to the form in which it is stored and compared: well-formed Unicode. `changeDueDate` does it for due dates. */
export function normalised<F extends { [K in keyof TaskFields]?: TaskFields[K] | undefined }>(fields: F): F {
  const result = { ...fields };
  if (fields.title !== undefined) result.title = fields.title.toWellFormed();
  if (fields.description !== undefined) result.description = fields.description.toWellFormed();
  if (fields.labels !== undefined) result.labels = fields.labels.map((label) => label.toWellFormed());
  return result;
}

/**
 * Changes only the fields that differ: one event, and one activity entry per field. Omitted fields are left unchanged.
 */
export function edit(task: Task, given: { [K in keyof Edited]?: Edited[K] | undefined }): Change {
  const { due_at, due_time_zone, due_all_day } = given;
  const changesDueDate = [due_at, due_time_zone, due_all_day].some((value) => value !== undefined);
  const fields = { ...normalised(given), ...(changesDueDate ? changeDueDate(task, given) : {}) };
  const differing = fieldNames.filter((name) => fields[name] !== undefined && !same(fields[name], task[name]));
  if (differing.length === 0) return noChange;
  return changeOf(
    task,
    Object.fromEntries(differing.map((name) => [name, fields[name]])),
    differing.map((name): LogEntry => {
      return { action: 'changed', field: name, from: task[name], to: fields[name], reason: null };
    }),
  );
}

/**
 * Deletes a task. An open task is unassigned first, so its assignee is notified. A draft that awaits a performer still awaits one after a
 * restoration, and a task of a job keeps its state. `rootId`: the task at the root of this deletion, by default the task itself.
 */
export function remove(task: Task, rootId: string = task.id): Change {
  const isOfPeople = isOpen(task.state) && task.kind === 'task';
  const closed = isOfPeople ? ({ state: 'draft', assignee_id: null } as const) : {};
  return changeOf(task, { is_deleted: true, deletion_id: rootId, ...closed }, [
    ...(isOfPeople ? unassignment(task, { reason: 'the task was deleted' }) : []),
    { ...deleted, reason: rootId === task.id ? null : 'a task above it was deleted' },
  ]);
}

const deleted = { action: 'deleted', field: null, from: null, to: null } as const;

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
