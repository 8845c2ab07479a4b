import { eventHeaders, outboxInsertSql, runWithEvents } from '@taskwire/outbox';
import { isoMicros, nextTimestamp, pageOf, query, type Keyset, type Queryable, type Tx } from '@taskwire/postgres';
import type { JsonText } from '@taskwire/contracts';
import type { CommentDocument, CommentSchema, CommentStore } from '../app/comments/ports.ts';
import type { Comment } from '../domain/comment.ts';
import { isReadableTo } from './projects/readable.ts';
import { displayName, joinUser } from './task-json.ts';

type CommentJson = JsonText<CommentSchema>;
type Row = { id: string; version: number; json: CommentJson };

/** SQL for a comment as the API returns it, as compact JSON. `author` names an outer-joined row of directory_users. */
const commentJson = `(
    SELECT to_json(shown)::text FROM (
      SELECT comment.id, comment.task_id, comment.author_id,
        json_build_object('id', comment.author_id, 'name', ${displayName('author')}) AS author, comment.body,
        (
          SELECT coalesce(json_agg(json_build_object('id', mention.id, 'name', ${displayName('mentioned')}) ORDER BY mention.place), '[]')
          FROM unnest(comment.mentions) WITH ORDINALITY AS mention (id, place) ${joinUser('mentioned', 'mention.id')}
        ) AS mentions,
        comment.version, ${isoMicros('comment.created_at')} AS created_at, ${isoMicros('comment.updated_at')} AS updated_at
    ) AS shown
  )`;
const shown = `comment.id, comment.version, ${commentJson} AS json`;
const joinAuthor = joinUser('author', 'comment.author_id');

/** The event and the activity entry of each change. `from` and `to`: whether that field of the entry has the id of the comment. */
const changes = {
  added: { type: 'tasks.comment.added', action: 'comment_added', from: false, to: true },
  changed: { type: 'tasks.comment.changed', action: 'comment_changed', from: true, to: true },
  deleted: { type: 'tasks.comment.deleted', action: 'comment_deleted', from: true, to: false },
} as const;

/**
 * The WITH parts that store the activity entry of a change and append its event. `changed` names the part that changed the comment; `fields` are
 * further arguments of json_build_object for the event.
 */
function recordSql(
  changed: string,
  o: { change: keyof typeof changes; actor: string; at: string; headers: string; fields?: string },
): string {
  const { type, action, from, to } = changes[o.change];
  const id = `to_jsonb(${changed}.id)`;
  return `
  logged AS (
    INSERT INTO task_activity (task_id, action, actor_id, field, from_value, to_value, created_at)
    SELECT ${changed}.task_id, '${action}', ${o.actor}, 'comment', ${from ? id : 'NULL'}, ${to ? id : 'NULL'}, ${o.at} FROM ${changed}
  ), emitted AS (
    ${outboxInsertSql(`
    SELECT '${type}', ${changed}.id::text, json_build_object('task_uuid', ${changed}.task_id, 'project_id', ${projectOf(changed)},
      'comment_uuid', ${changed}.id, 'author', ${changed}.author_id${o.fields ?? ''},
      'timestamp', ${isoMicros(o.at)}, 'actor', ${o.actor}), ${o.headers} FROM ${changed}`)}
  )`;
}

/** A transaction that changes a comment has locked the task, so the task's project stays the same. */
function projectOf(changed: string): string {
  return `(SELECT project_id FROM tasks WHERE id = ${changed}.task_id)`;
}

export const insertComment = {
  name: 'tasks.insert_comment',
  text: `
  WITH stored AS (
    INSERT INTO task_comments (task_id, author_id, body, mentions, created_at, updated_at)
    SELECT $1::uuid, $2::uuid, $3::text, $4::uuid[], clock.now, clock.now FROM (SELECT clock_timestamp() AS now) AS clock
    RETURNING *
  ), ${recordSql('stored', { change: 'added', actor: '$2::uuid', at: 'stored.created_at', headers: '$5::json', fields: ", 'mentions', stored.mentions" })}
  SELECT ${shown} FROM stored comment ${joinAuthor}`,
};

export const changeComment = {
  name: 'tasks.change_comment',
  text: `
  WITH stored AS (
    UPDATE task_comments comment SET body = $2, mentions = $3, version = version + 1, updated_at = ${nextTimestamp('comment.updated_at')}
    WHERE id = $1 RETURNING *
  ), ${recordSql('stored', {
    ...{ change: 'changed', actor: 'stored.author_id', at: 'stored.updated_at', headers: '$5::json' },
    fields: ", 'mentions', stored.mentions, 'mentions_added', $4::uuid[]",
  })}
  SELECT ${shown} FROM stored comment ${joinAuthor}`,
};

export const deleteComment = {
  name: 'tasks.delete_comment',
  text: `
  WITH stored AS (
    DELETE FROM task_comments comment WHERE id = $1 RETURNING *, ${nextTimestamp('comment.updated_at')} AS deleted_at
  ), ${recordSql('stored', { change: 'deleted', actor: '$2::uuid', at: 'stored.deleted_at', headers: '$3::json' })}
  SELECT FROM stored`,
};

const readOne = `
  SELECT ${shown} FROM task_comments comment JOIN tasks task ON task.id = comment.task_id AND task.deleted_at IS NULL ${joinAuthor}
  WHERE comment.task_id = $1 AND comment.id = $2 AND ${isReadableTo('task', '$3')}`;

/** Returns one row without a comment when the task's page is empty, and no rows when the task doesn't exist or is not readable. */
const list = `
  SELECT comment.id, CASE WHEN comment.id IS NOT NULL THEN ${commentJson} END AS json
  FROM tasks task
  LEFT JOIN LATERAL (
    SELECT * FROM task_comments WHERE task_id = task.id AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3
  ) comment ON true
  ${joinAuthor}
  WHERE task.id = $1 AND task.deleted_at IS NULL AND ${isReadableTo('task', '$4')}
  ORDER BY comment.id`;

const lock = `
  SELECT id, task_id AS "taskId", author_id AS "authorId", body, mentions, coalesce(ever_mentioned, mentions) AS "everMentioned", version
  FROM task_comments
  WHERE task_id = $1 AND id = $2 FOR UPDATE`;

const unknownUsers = `
  SELECT mention.id FROM unnest($1::uuid[]) WITH ORDINALITY AS mention (id, place)
  WHERE NOT EXISTS (SELECT FROM directory_users known WHERE known.id = mention.id AND NOT known.is_deleted)
  ORDER BY mention.place`;

const oldestFirst: Keyset = { direction: 'ASC', columns: { id: { sql: 'comment.id', type: 'uuid' } } };

/** The PostgreSQL store of comments. */
export function commentStore(pool: Queryable): CommentStore {
  async function write(tx: Tx, statement: { name: string; text: string }, values: unknown[]): Promise<CommentDocument> {
    return toDocument(await runWithEvents<Row>(tx, { ...statement, values: [...values, eventHeaders()] }));
  }

  return {
    async read(taskId, id, reader) {
      const rows = await query<Row>(pool, readOne, [taskId, id, reader]);
      return rows.length === 0 ? undefined : toDocument(rows);
    },
    async list(taskId, reader, { after, limit }) {
      const values = [taskId, after?.[0] ?? null, limit + 1, reader];
      const rows = await query<Row | { json: null }>(pool, list, values);
      if (rows.length === 0) return undefined;
      const { items, next } = pageOf(rows.filter(isComment), oldestFirst, limit);
      return { items: items.map(({ json }) => json), next };
    },
    lock: async (tx, taskId, id) => (await query<Comment>(tx, lock, [taskId, id]))[0],
    insert: async (tx, { taskId, authorId, body, mentions }) =>
      await write(tx, insertComment, [taskId, authorId, body, mentions]),
    revise: async (tx, { taskId, id }, revision) =>
      revision === undefined
        ? toDocument(await query<Row>(tx, readOne, [taskId, id, null]))
        : await write(tx, changeComment, [id, revision.body, revision.mentions, revision.first]),
    async remove(tx, { id }, actorId) {
      await runWithEvents(tx, { ...deleteComment, values: [id, actorId, eventHeaders()] });
    },
    unknownUsers: async (tx, ids) => (await query<{ id: string }>(tx, unknownUsers, [ids])).map(({ id }) => id),
  };
}

function toDocument([row]: readonly Row[]): CommentDocument {
  if (row === undefined) throw new Error('a comment that is locked does not exist');
  return { text: row.json, etag: row.version };
}

function isComment(row: Row | { json: null }): row is Row {
  return row.json !== null;
}
