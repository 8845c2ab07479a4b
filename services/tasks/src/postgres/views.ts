import type { JsonText } from '@taskwire/contracts';
import { isoMicros, keyset, nextTimestamp, pageOf, query, type Keyset, type Queryable } from '@taskwire/postgres';
import type { View, ViewContent, ViewDocument, ViewSchema, ViewStore } from '../app/views/ports.ts';

type Row = { id: string; version: number; json: JsonText<ViewSchema> };

/** A view as the API returns it, as JSON text. */
const shown = `view.id, view.version, (
    SELECT to_json(shown)::text FROM (
      SELECT view.id, view.name, view.is_shared AS shared, view.filter, view.q, view.sort, view.creator_id, view.version,
        ${isoMicros('view.created_at')} AS created_at, ${isoMicros('view.updated_at')} AS updated_at
    ) AS shown
  ) AS json`;

const isReadable = (reader: string) => `(view.creator_id = ${reader} OR view.is_shared)`;

const readView = `SELECT ${shown} FROM task_views view WHERE view.id = $1 AND ${isReadable('$2')}`;

const content = 'id, creator_id AS "creatorId", name, is_shared AS shared, filter, q, sort, version';
const lockView = `SELECT ${content} FROM task_views WHERE id = $1 FOR UPDATE`;
const findView = `SELECT ${content} FROM task_views view WHERE id = $1 AND ${isReadable('$2')}`;

const insertView = `
  INSERT INTO task_views AS view (name, is_shared, filter, q, sort, creator_id) VALUES ($1, $2, $3, $4, $5, $6) RETURNING ${shown}`;

const updateView = `
  UPDATE task_views view SET name = $1, is_shared = $2, filter = $3, q = $4, sort = $5, version = version + 1,
    updated_at = ${nextTimestamp('view.updated_at')}
  WHERE id = $6 RETURNING ${shown}`;

const latestFirst: Keyset = { direction: 'DESC', columns: { id: { sql: 'view.id', type: 'uuid' } } };

export function createViewStore(db: Queryable): ViewStore {
  return {
    async read(id, readerId) {
      const [row] = await query<Row>(db, readView, [id, readerId]);
      return row && documentOf(row);
    },

    async list(readerId, place) {
      const page = keyset(latestFirst, place, 2);
      const text = `SELECT ${shown} FROM task_views view WHERE ${isReadable('$1')} AND ${page.condition} ${page.orderAndLimit}`;
      const { items, next } = pageOf(await query<Row>(db, text, [readerId, ...page.values]), latestFirst, place.limit);
      return { items: items.map(({ json }) => json), next };
    },

    async count(tx, creatorId) {
      const text = 'SELECT count(*)::integer AS count FROM task_views WHERE creator_id = $1';
      return (await query<{ count: number }>(tx, text, [creatorId]))[0]?.count ?? 0;
    },

    find: async (id, readerId) => (await query<View>(db, findView, [id, readerId]))[0],
    lock: async (tx, id) => (await query<View>(tx, lockView, [id]))[0],
    insert: async (tx, creatorId, content) => await write(tx, insertView, [...columnsOf(content), creatorId]),
    update: async (tx, id, content) => await write(tx, updateView, [...columnsOf(content), id]),
    remove: async (tx, id) => void (await query(tx, 'DELETE FROM task_views WHERE id = $1', [id])),
  };
}

/** The values of $1 to $5 of both writes. */
function columnsOf({ name, shared, filter, q, sort }: ViewContent): unknown[] {
  return [name, shared, filter === null ? null : JSON.stringify(filter), q, sort];
}

async function write(tx: Queryable, text: string, values: readonly unknown[]): Promise<ViewDocument> {
  const [row] = await query<Row>(tx, text, values);
  if (row === undefined) throw new Error('the write returned no row');
  return documentOf(row);
}

function documentOf({ json, version }: Row): ViewDocument {
  return { text: json, etag: version };
}
