import type { JsonText } from '@taskwire/contracts';
import { isoMicros, keyset, nextTimestamp, pageOf, query, type Keyset, type Queryable } from '@taskwire/postgres';
import type {
  Template,
  TemplateContent,
  TemplateDocument,
  TemplateSchema,
  TemplateStore,
} from '../app/templates/ports.ts';

type Row = { id: string; version: number; json: JsonText<TemplateSchema> };

/** A template as the API returns it, as JSON text. */
const shown = `template.id, template.version, (
    SELECT to_json(shown)::text FROM (
      SELECT template.id, template.name, template.is_shared AS shared, template.task, template.subtasks, template.blocks, template.creator_id,
        template.version, ${isoMicros('template.created_at')} AS created_at, ${isoMicros('template.updated_at')} AS updated_at
    ) AS shown
  ) AS json`;

const content = `template.id, template.creator_id AS "creatorId", template.name, template.is_shared AS shared, template.task, template.subtasks,
  template.blocks, template.version`;
const isReadable = (reader: string) => `(template.creator_id = ${reader} OR template.is_shared)`;
const from = 'FROM task_templates template';

const write = {
  insert: `
  INSERT INTO task_templates AS template (name, is_shared, task, subtasks, blocks, creator_id)
  VALUES ($1, $2, $3, $4, $5, $6) RETURNING ${shown}`,
  update: `
  UPDATE task_templates template SET name = $1, is_shared = $2, task = $3, subtasks = $4, blocks = $5, version = version + 1,
    updated_at = ${nextTimestamp('template.updated_at')}
  WHERE id = $6 RETURNING ${shown}`,
};

const latestFirst: Keyset = { direction: 'DESC', columns: { id: { sql: 'template.id', type: 'uuid' } } };

/** The PostgreSQL store of templates. */
export function templateStore(pool: Queryable): TemplateStore {
  async function store(tx: Queryable, text: string, given: TemplateContent, last: string): Promise<TemplateDocument> {
    const { name, shared, task, subtasks, blocks } = given;
    const values = [name, shared, ...[task, subtasks, blocks].map((part) => JSON.stringify(part)), last];
    const [row] = await query<Row>(tx, text, values);
    if (row === undefined) throw new Error('the template was not stored');
    return { text: row.json, etag: row.version };
  }

  return {
    async read(id, readerId) {
      const text = `SELECT ${shown} ${from} WHERE template.id = $1 AND ${isReadable('$2')}`;
      const [row] = await query<Row>(pool, text, [id, readerId]);
      return row && { text: row.json, etag: row.version };
    },
    async find(id, readerId) {
      const text = `SELECT ${content} ${from} WHERE template.id = $1 AND ${isReadable('$2')}`;
      return (await query<Template>(pool, text, [id, readerId]))[0];
    },
    async list(readerId, place) {
      const page = keyset(latestFirst, place, 2);
      const text = `SELECT ${shown} ${from} WHERE ${isReadable('$1')} AND ${page.condition} ${page.orderAndLimit}`;
      const found = await query<Row>(pool, text, [readerId, ...page.values]);
      const { items, next } = pageOf(found, latestFirst, place.limit);
      return { items: items.map(({ json }) => json), next };
    },
    async count(tx, creatorId) {
      const text = `SELECT count(*)::integer AS count ${from} WHERE template.creator_id = $1`;
      return (await query<{ count: number }>(tx, text, [creatorId]))[0]?.count ?? 0;
    },
    lock: async (tx, id) =>
      (await query<Template>(tx, `SELECT ${content} ${from} WHERE template.id = $1 FOR UPDATE`, [id]))[0],
    insert: async (tx, creatorId, given) => await store(tx, write.insert, given, creatorId),
    update: async (tx, id, given) => await store(tx, write.update, given, id),
    remove: async (tx, id) => void (await query(tx, 'DELETE FROM task_templates WHERE id = $1', [id])),
  };
}
