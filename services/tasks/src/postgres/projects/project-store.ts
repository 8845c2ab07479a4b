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
import type { MemberJson, ProjectDocument, ProjectSchema, ProjectStore } from '../../app/projects/ports.ts';
import type { Project } from '../../domain/projects/project.ts';
import type { ProjectRole } from '../../domain/projects/role.ts';
import { readerOf } from '../../domain/projects/reader.ts';
import { displayName, joinUser } from '../task-json.ts';
import { isReadableProject } from './readable.ts';

type Row = { id: string; version: number; json: JsonText<ProjectSchema> };

/** The role of the user $1 in a project; null for a user who is not a member. */
const roleOfCaller = '(SELECT role FROM project_members WHERE project_id = project.id AND user_id = $1)';

/** A project as the API returns it to a user with this role, as JSON text. */
const shownAs = (role: string) => `project.id, project.version, (
    SELECT to_json(shown)::text FROM (
      SELECT project.id, project.name, project.description, ${role} AS role, project.creator_id, project.version,
        ${isoMicros('project.created_at')} AS created_at, ${isoMicros('project.updated_at')} AS updated_at,
        ${isoMicros('project.archived_at')} AS archived_at
    ) AS shown
  ) AS json`;
const shown = shownAs(roleOfCaller);

const readOne = `SELECT ${shown} FROM projects project WHERE project.id = $2 AND ${isReadableProject('project', '$3')}`;

const findOne = `
  SELECT id, name, description, archived_at IS NOT NULL AS archived, version, ${roleOfCaller} AS role
  FROM projects project WHERE id = $2 AND ${isReadableProject('project', '$3')}`;

const lockOne = `${findOne} FOR UPDATE`;

const insertOne = `
  WITH stored AS (
    INSERT INTO projects (name, description, creator_id) VALUES ($2, $3, $1) RETURNING *
  ), led AS (
    INSERT INTO project_members (project_id, user_id, role) SELECT id, $1, 'lead' FROM stored
  )
  SELECT ${shownAs("'lead'")} FROM stored project`;

const updateOne = `
  UPDATE projects project SET name = $3, description = $4,
    archived_at = CASE WHEN $5::boolean THEN coalesce(project.archived_at, clock_timestamp()) END,
    version = version + 1, updated_at = ${nextTimestamp('project.updated_at')}
  WHERE id = $2 RETURNING ${shown}`;

const memberJson = `(
    SELECT to_json(shown)::text FROM (
      SELECT member.user_id, json_build_object('id', member.user_id, 'name', ${displayName('known')}) AS "user", member.role,
        ${isoMicros('member.added_at')} AS added_at
    ) AS shown
  ) AS json`;
const joinMember = joinUser('known', 'member.user_id');

/** Returns one row without a member when the page is empty, and no rows when the project doesn't exist or is not readable. */
const listMembers = `
  SELECT member.user_id AS id, ${memberJson}
  FROM projects project
  LEFT JOIN LATERAL (
    SELECT * FROM project_members WHERE project_id = project.id AND ($2::uuid IS NULL OR user_id > $2) ORDER BY user_id LIMIT $3
  ) member ON true ${joinMember}
  WHERE project.id = $1 AND ${isReadableProject('project', '$4')}
  ORDER BY member.user_id`;

const readRole = 'SELECT role FROM project_members WHERE project_id = $1 AND user_id = $2';

const countMembers = 'SELECT count(*)::integer AS count FROM project_members WHERE project_id = $1';

/** A user whom the directory does not know yet counts: they were added as an existing user. */
const readOtherLead = `
  SELECT FROM project_members member WHERE project_id = $1 AND user_id <> $2 AND role = 'lead'
    AND NOT EXISTS (SELECT FROM directory_users known WHERE known.id = member.user_id AND known.is_deleted)
  LIMIT 1`;

const upsertMember = `
  WITH stored AS (
    INSERT INTO project_members AS held (project_id, user_id, role) VALUES ($1, $2, $3)
    ON CONFLICT (user_id, project_id) DO UPDATE SET role = excluded.role RETURNING *
  )
  SELECT ${memberJson} FROM stored member ${joinMember}`;

const newestFirst: Keyset = { direction: 'DESC', columns: { id: { sql: 'project.id', type: 'uuid' } } };
const byUser: Keyset = { direction: 'ASC', columns: { id: { sql: 'member.user_id', type: 'uuid' } } };

/** The PostgreSQL store of projects. */
export function createProjectStore(db: Queryable): ProjectStore {
  return {
    async read(id, actor) {
      const [row] = await query<Row>(db, readOne, [actor.id, id, readerOf(actor)]);
      return row && documentOf(row);
    },

    async list(actor, { archived }, place) {
      const page = keyset(newestFirst, place, 3);
      const text = `
        SELECT ${shown} FROM projects project WHERE ${isReadableProject('project', '$2')} AND archived_at IS ${archived ? 'NOT ' : ''}NULL
          AND ${page.condition} ${page.orderAndLimit}`;
      const rows = await query<Row>(db, text, [actor.id, readerOf(actor), ...page.values]);
      const { items, next } = pageOf(rows, newestFirst, place.limit);
      return { items: items.map(({ json }) => json), next };
    },

    async listMembers(id, actor, { after, limit }) {
      const values = [id, after?.[0] ?? null, limit + 1, readerOf(actor)];
      const rows = await query<{ id: string | null; json: MemberJson }>(db, listMembers, values);
      if (rows.length === 0) return undefined;
      const { items, next } = pageOf(rows.filter(isMember), byUser, limit);
      return { items: items.map(({ json }) => json), next };
    },

    find: async (tx, id, actor) => (await query<Project>(tx, findOne, [actor.id, id, readerOf(actor)]))[0],
    lock: async (tx, id, actor) => (await query<Project>(tx, lockOne, [actor.id, id, readerOf(actor)]))[0],
    insert: async (tx, actor, { name, description }) => await write(tx, insertOne, [actor.id, name, description]),
    update: async (tx, id, actor, { name, description, archived }) =>
      await write(tx, updateOne, [actor.id, id, name, description, archived]),
    countMembers: async (tx, id) => (await query<{ count: number }>(tx, countMembers, [id]))[0]?.count ?? 0,
    roleOf: async (tx, id, userId) => (await query<{ role: ProjectRole }>(tx, readRole, [id, userId]))[0]?.role,
    hasOtherLead: async (tx, id, userId) => (await query(tx, readOtherLead, [id, userId])).length > 0,

    async setMember(tx, id, userId, role) {
      return onlyRow(await query<{ json: MemberJson }>(tx, upsertMember, [id, userId, role])).json;
    },

    removeMember: async (tx, id, userId) =>
      void (await query(tx, 'DELETE FROM project_members WHERE project_id = $1 AND user_id = $2', [id, userId])),
  };
}

async function write(tx: Queryable, text: string, values: readonly unknown[]): Promise<ProjectDocument> {
  return documentOf(onlyRow(await query<Row>(tx, text, values)));
}

function documentOf({ json, version }: Row): ProjectDocument {
  return { text: json, etag: version };
}

function isMember(row: { id: string | null; json: MemberJson }): row is { id: string; json: MemberJson } {
  return row.id !== null;
}
