import type { Task } from './task.ts';

/** `due_soon`: `remind_before` the due date. `overdue`: at the due date. */
export type ReminderKind = 'due_soon' | 'overdue';

/** A due reminder. */
type DueReminder = {
  kind: ReminderKind;
  /** The due date of the task, UTC with microseconds. */
  due_at: string;
  /** Whether the due date has passed too. */
  has_passed: boolean;
};

/** A task and its due reminders. */
export type RemindedTask = Pick<Task, 'id' | 'assignee_id' | 'due_time_zone' | 'due_all_day'> & {
  reminders: readonly DueReminder[];
};

const eventTypes = { due_soon: 'tasks.task.due_soon', overdue: 'tasks.task.overdue' } as const;

type ReminderEvent = {
  type: (typeof eventTypes)[ReminderKind];
  assigned_to: string | null;
  due_at: string;
  due_time_zone: string | null;
  due_all_day: boolean;
};

type ReminderEntry = {
  action: ReminderKind | 'due_soon_skipped';
  field: 'due_at';
  from: null;
  to: string;
  reason: string | null;
};

/** The outcome of one task's reminders, stored in one transaction. The task itself and its version don't change. */
export type Settlement = {
  id: string;
  settled: readonly { kind: ReminderKind; due_at: string; state: 'sent' | 'skipped' }[];
  events: readonly ReminderEvent[];
  log: readonly ReminderEntry[];
};

/** The order in which reminders of one due date are logged and sent. */
const order: readonly ReminderKind[] = ['due_soon', 'overdue'];

/**
 * Sends each reminder as one event with one activity entry. `overdue` is always sent, however late. `due_soon` is
 * skipped if the due date has passed, for example after an outage: by then it would be wrong.
 */
export function settle({ id, assignee_id, due_time_zone, due_all_day, reminders }: RemindedTask): Settlement {
  const outcomes = reminders
    .toSorted((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind))
    .map(({ kind, due_at, has_passed }) => ({ kind, due_at, isSkipped: kind === 'due_soon' && has_passed }));
  return {
    id,
    settled: outcomes.map(({ kind, due_at, isSkipped }) => ({ kind, due_at, state: isSkipped ? 'skipped' : 'sent' })),
    events: outcomes
      .filter(({ isSkipped }) => !isSkipped)
      .map(({ kind, due_at }) => ({
        type: eventTypes[kind],
        assigned_to: assignee_id,
        ...{ due_at, due_time_zone, due_all_day },
      })),
    log: outcomes.map(({ kind, due_at, isSkipped }) => ({
      action: isSkipped ? 'due_soon_skipped' : kind,
      field: 'due_at',
      from: null,
      to: due_at,
      reason: isSkipped ? 'the due date had passed before the reminder could be sent' : null,
    })),
  };
}
