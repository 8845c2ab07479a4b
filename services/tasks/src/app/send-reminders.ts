import type { Progress } from '@taskwire/lifecycle';
import type { Tx } from '@taskwire/postgres';
import { settle, type RemindedTask, type ReminderKind, type Settlement } from '../domain/reminder.ts';

/** A reminder that was sent or skipped, and how long after its time, by the database's clock. */
export type SettledReminder = { kind: ReminderKind; state: 'sent' | 'skipped'; lateSeconds: number };

/** The armed reminders. A trigger of the database arms and disarms them with each change of a task. */
export type Reminders = {
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /**
   * The time until the next reminder, in milliseconds of the database's clock, at most 0 if one is due; undefined if none
   * is armed.
   */
  untilNextMs(): Promise<number | undefined>;
  /**
   * Locks up to `limit` tasks that have a due reminder, the earliest first, and returns their ids. Skips tasks that another transaction has locked:
   * another replica is sending their reminders, or a user is changing them.
   */
  lockDueTasks(tx: Tx, limit: number): Promise<string[]>;
  /** The due reminders of locked tasks, in a later statement than the lock, so that it sees changes made before the lock. */
  readDue(tx: Tx, taskIds: readonly string[]): Promise<RemindedTask[]>;
  /** Stores the outcomes of the reminders, with their events and activity entries. */
  settle(tx: Tx, settlements: readonly Settlement[]): Promise<SettledReminder[]>;
};

/** Tasks per transaction: a few milliseconds of work, during which these tasks can't be changed. */
const batch = 100;

type Ports = {
  reminders: Reminders;
  /** Ends the pause after this round in time for the next reminder, in milliseconds. */
  wakeIn(ms: number): void;
  observe(settled: readonly SettledReminder[]): void;
};

/**
 * One round of reminders. Claims due reminders and appends their events in one transaction, so a process that is killed
 * in between leaves them armed.
 */
export async function sendReminders({ reminders, wakeIn, observe }: Ports): Promise<Progress> {
  const untilNextMs = await reminders.untilNextMs();
  if (untilNextMs === undefined) return 'idle';
  if (untilNextMs > 0) {
    wakeIn(untilNextMs);
    return 'idle';
  }
  const { found, settled } = await reminders.transaction(async (tx) => {
    const taskIds = await reminders.lockDueTasks(tx, batch);
    const due = taskIds.length === 0 ? [] : await reminders.readDue(tx, taskIds);
    return { found: taskIds.length, settled: due.length === 0 ? [] : await reminders.settle(tx, due.map(settle)) };
  });
  observe(settled);
  // nothing found: all due tasks are locked, so another round would find nothing either
  return found === 0 ? 'idle' : 'more';
}
