import type { DeadLetter, DeadLetterFilter, DeadLetterQuery } from '@taskwire/contracts';
import { paged } from '@taskwire/http-server';
import { typePattern } from '@taskwire/inbox';
import type { Database, Keyset, List } from '@taskwire/postgres';
import { deadLetterEntity } from './entities.ts';

export type DeadLetterPage = { data: DeadLetter[]; next_cursor: string | null };

/** Returns a page of the matching dead letters, latest first. @throws Problem `bad_cursor`. */
export async function searchDeadLetters(db: Database, search: DeadLetterQuery): Promise<DeadLetterPage> {
  const { cursor, limit, state, ...filter } = search;
  return await paged(
    { name: 'dead letters', filter: { ...filter, state }, positions: 'instant and id', cursor, limit },
    async (place) =>
      await matching(db, filter)
        .where('letter.state = :state', { state: state === 'any' ? undefined : state })
        .page(latestFirst, place),
  );
}

/**
 * Returns the ids of the matching messages that are still dead, in the order of their arrival. The position within a key is known only for messages
 * that reached a handler.
 */
export async function findDead(
  db: Database,
  { filter, limit }: { filter: DeadLetterFilter; limit: number },
): Promise<string[]> {
  const found = matching(db, filter).only('id').where("letter.state = 'dead'");
  return (await found.first(byArrival, limit)).map(({ id }) => id);
}

const latestFirst: Keyset = {
  direction: 'DESC',
  columns: { dead_at: { sql: 'letter.dead_at', type: 'timestamptz' }, id: { sql: 'letter.id', type: 'uuid' } },
};
const byArrival: Keyset = {
  direction: 'ASC',
  columns: {
    seq: { sql: 'letter.seq', type: 'bigint', nulls: 'NULLS FIRST' },
    id: { sql: 'letter.id', type: 'uuid' },
  },
};

function matching(db: Database, filter: DeadLetterFilter): List<DeadLetter> {
  const { key, type, reason, message_id: messageId, from, until } = filter;
  const isPattern = type !== undefined && /[*#]/.test(type);
  return db
    .list(deadLetterEntity, 'letter')
    .where('letter.key = :key', { key })
    .where("('.' || letter.type) ~ :pattern", { pattern: isPattern ? typePattern(type) : undefined })
    .where('letter.type = :type', { type: isPattern ? undefined : type })
    .where('letter.reason = lower(:reason) OR strpos(lower(letter.error), lower(:reason)) > 0', { reason })
    .where('letter.message_id = :messageId', { messageId: messageId?.toLowerCase() })
    .where('letter.dead_at >= :from', { from })
    .where('letter.dead_at <= :until', { until });
}
