import { applyOne, readUnchanged } from './apply.ts';
import { creationSql } from './create.ts';
import { lockTask, needReassignment } from './locks.ts';
import { performerSql } from './performer-sql.ts';
import { pickLeastLoaded } from './performers.ts';
import { listTasks, readTask } from './reads.ts';

const performer = performerSql({ requireVerifiedEmail: true });

/** The first page with each filter alone; other lists combine these conditions. */
const lists = [{}, { mine: { is: true, userId: '' } }, { state: 'draft' }, { assignee: '' }, { creator: '' }] as const;

/** The prepared statements, for `statements.sql`. A test compares them with those that run. */
export const hotStatements: readonly { name: string; text: string }[] = [
  ...Object.values(creationSql(performer)),
  readTask,
  ...lists.map((filter) => listTasks(filter, { limit: 1, after: undefined })).map(({ name, text }) => ({ name, text })),
  lockTask,
  applyOne,
  readUnchanged,
  pickLeastLoaded(performer),
  needReassignment(performer),
];
