import type { JsonText } from '@taskwire/contracts';
import {
  isoMicros,
  keyset,
  nextTimestamp,
  onlyRow,
  pageOf,
  query,
  type Keyset,
  type Queryable,
} from '@taskwire/postgres';
import type { z } from 'zod';
import type { Document } from '../app/ports.ts';
import type { Saved, SavedStore } from '../app/saved/ports.ts';
import type { TemplateContent } from '../app/templates/ports.ts';
import type { ViewContent } from '../app/views/ports.ts';

type Content = { name: string; shared: boolean };

/**
 * The table of something that users save. `columns` are the columns of its content besides name and sharing, each with the name of its field, in the
 * order of the API. All names are constants of the code.
 */
export type SavedTable<C extends Content> = {
  table: string;
  columns: Readonly<Record<Exclude<keyof C & string, keyof Content>, 'text' | 'json'>>;
};

export const viewTable: SavedTable<ViewContent> = {
  table: 'task_views',
  columns: { filter: 'json', q: 'text', sort: 'text' },
};

export const templateTable: SavedTable<TemplateContent> = {
  table: 'task_templates',
  columns: { task: 'json', subtasks: 'json', blocks: 'json' },
};

const latestFirst: Keyset = { direction: 'DESC', columns: { id: { sql: 'saved.id', type: 'uuid' } } };

/** The PostgreSQL store of something that users save and may share. */
export function savedStore<C extends Content, S extends z.ZodType>(
  db: Queryable,
  { table, columns }: SavedTable<C>,
): SavedStore<C, S> {
  type Row = { id: string; version: number; json: JsonText<S> };
  const names = Object.keys(columns) as (keyof typeof columns)[];
  const selected = names.map((name) => `saved.${name}`).join(', ');
  const shown = `saved.id, saved.version, (
    SELECT to_json(shown)::text FROM (
      SELECT saved.id, saved.name, saved.is_shared AS shared, ${selected}, saved.creator_id, saved.version,
        ${isoMicros('saved.created_at')} AS created_at, ${isoMicros('saved.updated_at')} AS updated_at
    ) AS shown
  ) AS json`;
  const content = `saved.id, saved.creator_id AS "creatorId", saved.name, saved.is_shared AS shared, ${selected}, saved.version`;
  const from = `FROM ${table} saved`;
  const isReadable = (reader: string): string => `(saved.creator_id = ${reader} OR saved.is_shared)`;
  const last = `$${names.length + 3}`;
  const insert = `
    INSERT INTO ${table} AS saved (name, is_shared, ${names.join(', ')}, creator_id)
    VALUES ($1, $2, ${names.map((_, place) => `$${place + 3}`).join(', ')}, ${last}) RETURNING ${shown}`;
  const update = `
    UPDATE ${table} saved SET name = $1, is_shared = $2, ${names.map((name, place) => `${name} = $${place + 3}`).join(', ')},
      version = version + 1, updated_at = ${nextTimestamp('saved.updated_at')}
    WHERE id = ${last} RETURNING ${shown}`;

  async function write(tx: Queryable, text: string, given: C, id: string): Promise<Document<S>> {
    const values = names.map((name) => (columns[name] === 'json' ? jsonOf(given[name]) : given[name]));
    return documentOf(onlyRow(await query<Row>(tx, text, [given.name, given.shared, ...values, id])));
  }

  const documentOf = ({ json, version }: Row): Document<S> => ({ text: json, etag: version });

  return {
    async read(id, readerId) {
      const text = `SELECT ${shown} ${from} WHERE saved.id = $1 AND ${isReadable('$2')}`;
      const [row] = await query<Row>(db, text, [id, readerId]);
      return row && documentOf(row);
    },
    async find(id, readerId) {
      const text = `SELECT ${content} ${from} WHERE saved.id = $1 AND ${isReadable('$2')}`;
      return (await query<Saved<C>>(db, text, [id, readerId]))[0];
    },
    async list(readerId, place) {
      const page = keyset(latestFirst, place, 2);
      const text = `SELECT ${shown} ${from} WHERE ${isReadable('$1')} AND ${page.condition} ${page.orderAndLimit}`;
      const { items, next } = pageOf(await query<Row>(db, text, [readerId, ...page.values]), latestFirst, place.limit);
      return { items: items.map(({ json }) => json), next };
    },
    async count(tx, creatorId) {
      const text = `SELECT count(*)::integer AS count ${from} WHERE saved.creator_id = $1`;
      return (await query<{ count: number }>(tx, text, [creatorId]))[0]?.count ?? 0;
    },
    lock: async (tx, id) =>
      (await query<Saved<C>>(tx, `SELECT ${content} ${from} WHERE saved.id = $1 FOR UPDATE`, [id]))[0],
    insert: async (tx, creatorId, given) => await write(tx, insert, given, creatorId),
    update: async (tx, id, given) => await write(tx, update, given, id),
    remove: async (tx, id) => void (await query(tx, `DELETE FROM ${table} WHERE id = $1`, [id])),
  };
}

/** A missing value is NULL, and not the JSON null. */
function jsonOf(value: unknown): string | null {
  return value === null ? null : JSON.stringify(value);
}
