import { randomUUIDv7 } from 'node:crypto';
import type { EventPayload, EventType } from '@taskwire/contracts';
import { appendEvents } from '@taskwire/outbox';
import { query, type Tx } from '@taskwire/postgres';
import type { AuditContext } from '../domain/audit-context.ts';

type AccountEventType = EventType & `auth.account.${string}`;

/** Serialises changes to the set of admins: "taskadmi" as a bigint. The lock is always taken after the lock of the user's row. */
export async function lockAdmins(tx: Tx): Promise<void> {
  await query(tx, "SELECT pg_advisory_xact_lock('8386110886541357417'::bigint)");
}

/**
 * Requests that a user be notified about their account. Like events about links, the event is its own aggregate, so that an event that is never
 * consumed cannot block the user's events.
 */
export async function appendAccountEvent<T extends AccountEventType>(
  tx: Tx,
  type: T,
  payload: EventPayload<T>,
): Promise<void> {
  await appendEvents(tx, [{ type, aggregateId: randomUUIDv7(), payload }]);
}

/** Requests that every other admin be notified about a new one: one event for each admin that exists when the transaction commits. */
export async function appendAdminAdded(
  tx: Tx,
  { admin_id, ...fact }: Omit<EventPayload<'auth.account.admin_added'>, 'user_id'>,
): Promise<void> {
  await lockAdmins(tx);
  const others = await query<{ id: string }>(
    tx,
    "SELECT id FROM users WHERE role = 'admin' AND deleted_at IS NULL AND id <> $1 ORDER BY id",
    [admin_id],
  );
  const events = others.map(({ id: user_id }) => ({
    type: 'auth.account.admin_added',
    aggregateId: randomUUIDv7(),
    payload: { user_id, admin_id, ...fact },
  }));
  await appendEvents(tx, events);
}

/** The id of the actor in events; null for the command line. */
export function actorOf({ actor }: AuditContext): string | null {
  return actor?.kind === 'user' ? actor.id : null;
}
