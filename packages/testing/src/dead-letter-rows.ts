import { query, type Queryable } from '@taskwire/postgres';

/** Stores two dead letters and a dropped one, which differ in every field that a search can filter by. */
export async function insertDeadLetters(db: Queryable): Promise<void> {
  await query(
    db,
    `INSERT INTO dead_letters
       (message_id, type, aggregate_id, reason, error, attempts, errors, headers, payload, received_at, dead_at, state, resolved_at)
     VALUES
       ('first', 'auth.user.created', 'user 1', 'refused', 'one', 1, '[]', '{}', '', now(), '2026-01-01', 'dead', NULL),
       ('second', 'auth.user.changed', 'user 2', 'not_json', 'two', 1, '[]', '{}', '', now(), '2026-01-03', 'dead', NULL),
       ('third', 'auth.user.deleted', 'user 3', 'crashed', 'three', 1, '[]', '{}', '', now(), '2026-01-05', 'dropped', now())`,
  );
}

/** Values of the search's parameters, each of which selects some of these rows, for `walkFilters`. */
export const deadLetterFilterValues = {
  key: ['user 1'],
  type: ['auth.user.created', '#.changed'],
  reason: ['not_json', 'ONE'],
  message_id: ['second'],
  from: ['2026-01-02T00:00:00Z'],
  until: ['2026-01-02T00:00:00Z'],
  state: ['dropped', 'any'],
} as const;
