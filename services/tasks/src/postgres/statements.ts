import { applyOne, readUnchanged } from './apply.ts';
import { creationSql } from './create.ts';
import { lockTask, needReassignment } from './locks.ts';
import { performerSql } from './performer-sql.ts';
import { pickLeastLoaded } from './performers.ts';
import { readTask } from './reads.ts';

const performer = performerSql({ requireVerifiedEmail: true });

/** The prepared statements, for `statements.sql`. A test compares them with those that run. */
export const hotStatements: readonly { name: string; text: string }[] = [
  ...Object.values(creationSql(performer)),
  readTask,
  lockTask,
  applyOne,
  readUnchanged,
  pickLeastLoaded(performer),
  needReassignment(performer),
];
