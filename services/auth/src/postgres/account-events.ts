import { randomUUIDv7 } from 'node:crypto';
import type { EventPayload, EventType } from '@taskwire/contracts';
import { appendEvents } from '@taskwire/outbox';
import { query, type Tx } from '@taskwire/postgres';
import type { Occasion } from '../app/audit.ts';

type AccountEventType = EventType & `auth.account.${string}`;

/** Admins come and go one at a time: "taskadmi" as a bigint. The lock comes after the one of the user's row, everywhere. */
export async function lockAdmins(tx: Tx): Promise<void> {
  await query(tx, "SELECT pg_advisory_xact_lock('8386110886541357417'::bigint)");
}

/**
 * Has a user notified of their account. The event is of an aggregate of its own, as those of links: one that nobody takes must not hold back the
 * events of the user.
 */
export async function notifyAccount<T extends AccountEventType>(
  tx: Tx,
  type: T,
  payload: EventPayload<T>,
): Promise<void> {
  await appendEvents(tx, [{ type, aggregateId: randomUUIDv7(), payload }]);
}

/** Has every other admin notified of a new one: those whom this database knows when it commits, each by an event of their own. */
export async function notifyOtherAdmins(
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

/** Who did it, as events name them: null for the command line. */
export function actorOf({ actor }: Occasion): string | null {
  return actor?.kind === 'user' ? actor.id : null;
}
