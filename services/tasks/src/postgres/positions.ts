import { isSqlState, query, sqlState, type Tx } from '@taskwire/postgres';
import { generateKeyBetween, generateNKeysBetween } from 'fractional-indexing';
import type { Positions } from '../app/views/ports.ts';
import { busy, limitMs, type Turns } from './lists/bounded-reads.ts';
import { conditionsOf } from './lists/conditions.ts';
import { isUnplaced } from './lists/manual.ts';
import { idsStatement } from './lists/page.ts';

const keyOf = 'SELECT key FROM task_positions WHERE view_id = $1 AND task_id = $2';

const neighbours = {
  before: 'SELECT max(key) AS key FROM task_positions WHERE view_id = $1 AND key < $2 AND task_id <> $3',
  after: 'SELECT min(key) AS key FROM task_positions WHERE view_id = $1 AND key > $2 AND task_id <> $3',
};

const place = `
  INSERT INTO task_positions (view_id, task_id, key) SELECT $1, id, key FROM unnest($2::uuid[], $3::text[]) AS placed (id, key)
  ON CONFLICT (view_id, task_id) DO UPDATE SET key = excluded.key`;

/** The PostgreSQL store of positions. Transactions that read lists share their turns with other lists. */
export const positionStore = (inTurn: Turns): Positions => ({
  inTurn,
  keyBetween: generateKeyBetween,
  keysBetween: generateNKeysBetween,

  idsOf: async (tx, list, limit) => await readIds(tx, idsStatement(list, limit)),

  async unplaced(tx, viewId, list, limit) {
    const { conditions, values } = conditionsOf(list);
    const parameter = (value: unknown) => `$${values.push(value)}`;
    const where = [...conditions, isUnplaced('task', parameter(viewId))].join(' AND ');
    const text = `SELECT task.id FROM tasks task WHERE ${where} ORDER BY task.id DESC LIMIT ${parameter(limit)}`;
    return await readIds(tx, { text, values });
  },

  async among(tx, list, ids) {
    const { conditions, values } = conditionsOf(list);
    const where = [...conditions, `task.id = ANY ($${values.push(ids)}::uuid[])`].join(' AND ');
    return await readIds(tx, { text: `SELECT task.id FROM tasks task WHERE ${where}`, values });
  },

  keyOf: async (tx, viewId, taskId) => (await query<{ key: string }>(tx, keyOf, [viewId, taskId]))[0]?.key,

  async neighbour(tx, viewId, { key, side, except }) {
    const [row] = await query<{ key: string | null }>(tx, neighbours[side], [viewId, key, except]);
    return row?.key ?? null;
  },

  async last(tx, viewId) {
    const text = 'SELECT max(key) AS key FROM task_positions WHERE view_id = $1';
    return (await query<{ key: string | null }>(tx, text, [viewId]))[0]?.key ?? null;
  },

  async all(tx, viewId) {
    const text = 'SELECT task_id AS id FROM task_positions WHERE view_id = $1 ORDER BY key';
    return (await query<{ id: string }>(tx, text, [viewId])).map(({ id }) => id);
  },

  place: async (tx, viewId, ids, keys) => void (await query(tx, place, [viewId, ids, keys])),
  clear: async (tx, viewId) => void (await query(tx, 'DELETE FROM task_positions WHERE view_id = $1', [viewId])),
});

/** Reads ids with the limit of other lists, because the cost depends on the filter. @throws Problem `search_busy`. */
async function readIds(tx: Tx, statement: { text: string; values: unknown[] }): Promise<string[]> {
  await query(tx, `SET LOCAL statement_timeout = ${limitMs}`);
  try {
    const ids = (await query<{ id: string }>(tx, statement)).map(({ id }) => id);
    await query(tx, 'SET LOCAL statement_timeout TO DEFAULT');
    return ids;
  } catch (error) {
    throw isSqlState(error, sqlState.queryCanceled) ? busy(error) : error;
  }
}
