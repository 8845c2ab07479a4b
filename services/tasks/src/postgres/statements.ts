import type { TaskList } from '../app/task-list.ts';
import { applyOne, readUnchanged } from './apply.ts';
import { changeComment, deleteComment, insertComment } from './comments.ts';
import { creationSql, otherCreations } from './create.ts';
import { jobStatements } from './jobs/statements.ts';
import { mergedList, passesOver, usualList } from './lists/usual.ts';
import { readHindrances } from './links/store.ts';
import { unblockTasks } from './links/unblock.ts';
import { lockTask, lockTaskOrDeleted, lockTasksToEnd, needReassignment, readAssigneesBeforeDeletion } from './locks.ts';
import { performerSql } from './performer-sql.ts';
import { pickLeastLoaded, pickLeastLoadedInProject } from './performers.ts';
import { readInternalTasks, readTask } from './reads.ts';
import { lockDueTasks, nextReminder, readDueReminders, settleReminders } from './reminders.ts';
import { searchStatements } from './search/follow.ts';
import { scheduledCreationSql } from './schedules/create-tasks.ts';
import { readChangedPeople, readChangedTasks, readGainedTasks, readLastGained, readLastPassed } from './sync/feeds.ts';
import { lockDue, lockEnded, lockOutdated, lockReleased, readWork } from './schedules/locks.ts';
import { recordOccurrences } from './schedules/record.ts';
import { readGrounds } from './schedules/store.ts';

const performer = performerSql({ requireVerifiedEmail: true });

/** The first page for a member with each single filter, and for a manager; other lists combine these conditions. */
const lists: readonly Omit<TaskList, 'order'>[] = [
  { reader: null, filter: {} },
  { reader: '', filter: {} },
  { reader: '', filter: { state: 'draft' } },
  { reader: '', filter: { assignee: '' } },
  { reader: '', filter: { creator: '' } },
  { reader: '', filter: { kind: 'job' } },
  { reader: '', filter: { kind: 'task' } },
  { reader: '', filter: { project: '' } },
];

/** The prepared statements, for `statements.sql`. A test compares them with those that run. */
export const hotStatements: readonly { name: string; text: string }[] = [
  ...[...Object.values(creationSql(performer)), ...otherCreations],
  ...[readTask, readInternalTasks],
  ...lists.flatMap(statementsOf).map(({ name, text }) => ({ name, text })),
  ...[lockTask, lockTasksToEnd, lockTaskOrDeleted, readAssigneesBeforeDeletion],
  applyOne,
  readUnchanged,
  pickLeastLoaded(performer),
  pickLeastLoadedInProject(performer),
  needReassignment(performer),
  ...[nextReminder, lockDueTasks, readDueReminders, settleReminders],
  ...[readHindrances, unblockTasks],
  ...[insertComment, changeComment, deleteComment],
  ...jobStatements,
  ...searchStatements,
  ...[readChangedTasks, readLastPassed, readGainedTasks, readLastGained, readChangedPeople],
  ...Object.values(scheduledCreationSql(performer)),
  ...[lockDue, lockReleased, lockEnded, lockOutdated, readWork, readGrounds, recordOccurrences],
];

function statementsOf(list: (typeof lists)[number]) {
  const place = { limit: 1, after: undefined };
  return [usualList(list, place), ...(passesOver(list) ? [mergedList(list, place)] : [])];
}
