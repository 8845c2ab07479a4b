import type { DeadLetter, DeadLetterFilter, DeadLetterQuery } from '@taskwire/contracts';
import { cursorInstant, isoMicros, listCursors, query, type Queryable } from '@taskwire/postgres';
import { z } from 'zod';
import { typePattern } from '@taskwire/inbox';

/** The columns of a dead letter in lists, named as in the contract. */
export const summaryColumns = `
  id, message_id, handler, type, aggregate_id AS key, reason, error, attempts, state,
  ${isoMicros('received_at')} AS received_at, ${isoMicros('dead_at')} AS dead_at, ${isoMicros('settled_at')} AS settled_at,
  settled_by, settled_reason`;

const position = z.tuple([cursorInstant, z.guid()]);

export type DeadLetterPage = { data: DeadLetter[]; next_cursor: string | null };

/** Returns a page of the matching dead letters, latest first. @throws Problem `bad_cursor`. */
export async function searchDeadLetters(db: Queryable, search: DeadLetterQuery): Promise<DeadLetterPage> {
  const { cursor, limit, state, ...filter } = search;
  const { conditions, values, add } = criteria(filter);
  const cursors = listCursors(position, { name: 'dead letters', filter: { ...filter, state } });
  if (state !== 'any') add((place) => `state = ${place}`, state);
  const after = cursors.decode(cursor);
  add(
    (place) => `(dead_at, id) < ((${place}::json ->> 0)::timestamptz, (${place}::json ->> 1)::uuid)`,
    after && JSON.stringify(after),
  );
  const found = await query<DeadLetter>(
    db,
    `SELECT ${summaryColumns} FROM dead_letters ${where(conditions)}
     ORDER BY dead_letters.dead_at DESC, dead_letters.id DESC LIMIT ${limit + 1}`,
    values,
  );
  const data = found.slice(0, limit);
  const last = data.at(-1);
  const more = found.length > limit && last !== undefined;
  return { data, next_cursor: more ? cursors.encode([last.dead_at, last.id]) : null };
}

/**
 * Returns the ids of the matching messages that are still dead, in the order of their arrival. The position within a key is known only for messages
 * that reached a handler.
 */
export async function findDead(
  db: Queryable,
  { filter, limit }: { filter: DeadLetterFilter; limit: number },
): Promise<string[]> {
  const { conditions, values } = criteria(filter);
  const rows = await query<{ id: string }>(
    db,
    `SELECT id FROM dead_letters ${where([...conditions, `state = 'dead'`])} ORDER BY seq NULLS FIRST, id LIMIT ${limit}`,
    values,
  );
  return rows.map(({ id }) => id);
}

function criteria(filter: DeadLetterFilter) {
  const conditions: string[] = [];
  const values: unknown[] = [];
  const add = (condition: (place: string) => string, value: unknown): void => {
    if (value === undefined) return;
    values.push(value);
    conditions.push(condition(`$${values.length}`));
  };
  const { key, type, reason, message_id, from, until } = filter;
  add((place) => `aggregate_id = ${place}`, key);
  if (type !== undefined && /[*#]/.test(type)) add((place) => `('.' || type) ~ ${place}`, typePattern(type));
  else add((place) => `type = ${place}`, type);
  add((place) => `(reason = lower(${place}) OR strpos(lower(error), lower(${place})) > 0)`, reason);
  add((place) => `message_id = ${place}`, message_id?.toLowerCase());
  add((place) => `dead_at >= ${place}::timestamptz`, from);
  add((place) => `dead_at <= ${place}::timestamptz`, until);
  return { conditions, values, add };
}

function where(conditions: readonly string[]): string {
  return conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
}
