import { composeLists } from '@taskwire/postgres';
import { beginSending, claimDueDeliveries, markLost, recordAttempt, renewLeases } from './deliveries.ts';
import { notificationEntity } from './entities.ts';
import { countMails } from './mail-budget.ts';
import { countUnread, insertWithDeliveries, markRead, notificationInbox } from './notifications.ts';
import { readFresh, readLast, storeFetched } from './task-cache.ts';

/**
 * The number of deliveries that an idle worker claims at once, by the default of SMTP_CONNECTIONS. For fewer free slots, the statement is the same
 * except for its limit.
 */
const places = 5;

const lists = await composeLists([notificationEntity], async (db) => {
  const { list } = notificationInbox(db);
  for (const after of [undefined, ['', '']]) {
    for (const unread of [undefined, true, false]) await list({ userId: '', unread }, { after, limit: 1 });
  }
});

/** The prepared statements, for `statements.sql`. A test compares this list with the statements that are executed. */
export const hotStatements: readonly { name: string; text: string }[] = [
  insertWithDeliveries,
  claimDueDeliveries(places),
  renewLeases,
  beginSending.alone,
  beginSending.together,
  recordAttempt.alone,
  recordAttempt.together,
  markLost,
  countMails,
  ...lists.map(({ name = '', text }) => ({ name, text })),
  countUnread,
  markRead,
  readFresh,
  storeFetched,
  readLast,
];
