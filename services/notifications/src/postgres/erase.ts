import { schemas } from '@taskwire/contracts';
import { query, type Database, type Queryable } from '@taskwire/postgres';
import type { ContentOf } from '../app/build-notification.ts';
import type { TemplateData, NotificationType } from '../app/notification-types.ts';

/**
 * Rows per round. Bounds the duration and locks of a statement: each row takes its deliveries and their attempts along.
 */
const batch = 500;
/**
 * Mails are retried for four days (RFC 5321 section 4.5.4.1); questions about whether an invitation arrived come within
 * weeks.
 */
const withoutUserDays = 30;

export type ForgettingSettings = {
  /** How many days a notification is kept. */
  notificationDays: number;
  /** Creates the in-app text of a notification. */
  content: ContentOf;
};

/**
 * Erases one batch of expired personal data. Any number of replicas may run this concurrently. Returns `more` when
 * other data may remain. The data are:
 * - notifications to users erased by Auth: their names, and their addresses in the responses of mail servers
 * - names of erased users in the notifications of others
 * - expired notifications, and, much earlier, mails to recipients without an account: mail servers repeat their
 *   addresses
 *
 * An empty address in the directory marks users erased by Auth.
 */
export async function eraseExpired(db: Database, settings: ForgettingSettings): Promise<'more' | 'idle'> {
  const rounds = [
    await query(db.pool, deleteOfErased, [batch]),
    await eraseActors(db, settings.content),
    await query(db.pool, deleteOld(), [settings.notificationDays, batch]),
    await query(db.pool, deleteOld('AND user_id IS NULL'), [withoutUserDays, batch]),
  ];
  return rounds.some((rows) => rows.length === batch) ? 'more' : 'idle';
}

const deleteOfErased = `
  DELETE FROM notifications WHERE id = ANY (ARRAY(
    SELECT notifications.id
    FROM directory_users erased JOIN notifications ON notifications.user_id = erased.id
    WHERE erased.is_deleted AND erased.email = ''
    LIMIT $1
    FOR UPDATE OF notifications SKIP LOCKED
  ))
  RETURNING id`;

// ids are UUIDv7, so they sort by time; the subquery makes the bound a single value, which the index can serve
const deleteOld = (which = '') => `
  DELETE FROM notifications WHERE id = ANY (ARRAY(
    SELECT id FROM notifications
    WHERE id < (SELECT uuidv7(make_interval(days => - $1::integer))) ${which}
    ORDER BY id LIMIT $2
    FOR UPDATE SKIP LOCKED
  ))
  RETURNING id`;

type Row = { id: string; type: NotificationType; templateData: TemplateData; placeholder: string };

/** Rewrites notifications about the actions of erased users, with the placeholder that Auth has set as their name. */
async function eraseActors(db: Database, content: ContentOf): Promise<readonly object[]> {
  return await db.transaction(async (tx) => {
    const rows = await query<Row>(tx, findOfActors, [batch, schemas.notificationTypes]);
    return await rewrite(tx, rows, content);
  });
}

async function rewrite(tx: Queryable, rows: readonly Row[], content: ContentOf): Promise<readonly object[]> {
  const rewritten = rows.map(({ id, type, templateData: before, placeholder }) => {
    const templateData = { ...before, actor: placeholder };
    return { id, template_data: templateData, ...(content(type, templateData) ?? { title: null, body: null }) };
  });
  return await query(tx, updateContent, [JSON.stringify(rewritten)]);
}

const findOfActors = `
  SELECT notifications.id, notifications.type, notifications.template_data AS "templateData", erased.name AS placeholder
  FROM directory_users erased JOIN notifications ON notifications.actor_id = erased.id
  WHERE erased.is_deleted AND erased.email = ''
    -- a newer build that runs beside this one may have types that this one has no template for
    AND notifications.type = ANY ($2)
  LIMIT $1
  FOR UPDATE OF notifications SKIP LOCKED`;

// clearing the actor keeps the row from being found again
const updateContent = `
  UPDATE notifications SET template_data = rewritten.template_data, title = rewritten.title, body = rewritten.body, actor_id = NULL
  FROM jsonb_to_recordset($1::jsonb) AS rewritten(id uuid, template_data jsonb, title text, body text)
  WHERE notifications.id = rewritten.id
  RETURNING notifications.id`;
