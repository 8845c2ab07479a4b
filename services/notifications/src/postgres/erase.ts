import { schemas } from '@taskwire/contracts';
import { query, type Database, type Queryable } from '@taskwire/postgres';
import type { Words } from '../app/compose.ts';
import type { Facts, NotificationType } from '../app/notification-types.ts';

/** Rows of a round, so that no statement runs long or holds many locks: each takes its deliveries and their attempts along. */
const batch = 500;
/** A mail is tried for four days (RFC 5321 section 4.5.4.1); whether an invitation arrived is asked about within weeks. */
const withoutUserDays = 30;

export type ForgettingSettings = {
  /** Days that a notification is kept. */
  notificationDays: number;
  /** What a notification says in the app. */
  words: Words;
};

/**
 * Forgets a batch of what is personal and has had its time. Any number of replicas may do this at once. Tells whether there may be more:
 * - what users were told whom Auth has erased: their names, and their addresses in what mail servers said
 * - their names in what others were told
 * - notifications that are too old, and much earlier mails to people without an account: mail servers repeat their addresses
 *
 * The directory knows those whom Auth has erased by an empty address.
 */
export async function forgetOld(db: Database, settings: ForgettingSettings): Promise<'more' | 'idle'> {
  const rounds = [
    await query(db.pool, deleteOfErased, [batch]),
    await eraseActors(db, settings.words),
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

// ids are of version 7, so their order is that of time; as a subquery the bound is one value, for which the index serves
const deleteOld = (which = '') => `
  DELETE FROM notifications WHERE id = ANY (ARRAY(
    SELECT id FROM notifications
    WHERE id < (SELECT uuidv7(make_interval(days => - $1::integer))) ${which}
    ORDER BY id LIMIT $2
    FOR UPDATE SKIP LOCKED
  ))
  RETURNING id`;

type Row = { id: string; type: NotificationType; facts: Facts; placeholder: string };

/** Says anew what erased people did, with what Auth has put in the place of their name. */
async function eraseActors(db: Database, words: Words): Promise<readonly object[]> {
  return await db.transaction(async (tx) => {
    const rows = await query<Row>(tx, findOfActors, [batch, schemas.notificationTypes]);
    return await rewrite(tx, rows, words);
  });
}

async function rewrite(tx: Queryable, rows: readonly Row[], words: Words): Promise<readonly object[]> {
  const rewritten = rows.map(({ id, type, facts: before, placeholder }) => {
    const facts = { ...before, actor: placeholder };
    return { id, facts, ...(words(type, facts) ?? { title: null, body: null }) };
  });
  return await query(tx, updateWords, [JSON.stringify(rewritten)]);
}

const findOfActors = `
  SELECT notifications.id, notifications.type, notifications.facts, erased.name AS placeholder
  FROM directory_users erased JOIN notifications ON notifications.actor_id = erased.id
  WHERE erased.is_deleted AND erased.email = ''
    -- a newer build that runs beside this one may have types that this one cannot put into words
    AND notifications.type = ANY ($2)
  LIMIT $1
  FOR UPDATE OF notifications SKIP LOCKED`;

// without an actor it is not found again
const updateWords = `
  UPDATE notifications SET facts = said.facts, title = said.title, body = said.body, actor_id = NULL
  FROM jsonb_to_recordset($1::jsonb) AS said(id uuid, facts jsonb, title text, body text)
  WHERE notifications.id = said.id
  RETURNING notifications.id`;
