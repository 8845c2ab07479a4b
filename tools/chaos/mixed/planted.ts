import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Side } from './plan.ts';

/**
 * A deliberate break between two releases, which a run has to find. Each release works on its own. A break is a patch of a release's sources in its
 * worktree, and possibly a migration of Tasks; a patch whose text is not found stops the run.
 */
export type Planted = {
  what: string;
  /** A migration of the new release. */
  migration?: string;
  patches: { side: Side; file: string; find: string; put: string }[];
};

export const plantedNames = [
  'not-null-without-default',
  'renamed-event-field',
  'changed-cursor',
  'prepared-star',
  'new-state',
] as const;
export type PlantedName = (typeof plantedNames)[number];

const recordChange = 'services/tasks/src/postgres/record-change.ts';
const paging = 'packages/http-server/src/paging.ts';

export const planted: Record<PlantedName, Planted> = {
  'not-null-without-default': {
    what: 'The new release adds a NOT NULL column without a default, and fills it. The old one does not.',
    // existing rows get a value, because an ADD COLUMN … NOT NULL without a default would already fail in the migration
    migration: `ALTER TABLE task_activity ADD COLUMN source text NOT NULL DEFAULT 'import';
ALTER TABLE task_activity ALTER COLUMN source DROP DEFAULT;`,
    patches: [
      { side: 'new', file: recordChange, find: 'choice, created_at)', put: 'choice, source, created_at)' },
      {
        ...{ side: 'new', file: recordChange },
        find: "entry ->> 'why', entry -> 'choice',",
        put: "entry ->> 'why', entry -> 'choice', 'user',",
      },
    ],
  },
  'renamed-event-field': {
    what: 'The new release publishes assignee_id instead of assigned_to in tasks.task.assigned, and reads only that.',
    patches: [
      {
        ...{ side: 'new', file: 'services/tasks/src/domain/change.ts' },
        find: "return [{ type: 'tasks.task.assigned', assigned_to: entry.to }];",
        put: "return [{ type: 'tasks.task.assigned', assignee_id: entry.to } as never];",
      },
      {
        ...{ side: 'new', file: 'packages/contracts/src/events/events.ts' },
        find: ".object({ ...taskEventFields, assigned_to: uuid.describe('the new assignee') })",
        put: `.object({ ...taskEventFields, assignee_id: uuid })
    .transform(({ assignee_id, ...event }) => ({ ...event, assigned_to: assignee_id }))`,
      },
    ],
  },
  'changed-cursor': {
    what: 'Cursors of the new release begin with a version, and it reads no others.',
    patches: [
      {
        ...{ side: 'new', file: paging },
        find: 'return Buffer.from(JSON.stringify([ownFingerprint, others.length === 0 ? only : position])).toString(',
        put: `return '2.' + Buffer.from(JSON.stringify([ownFingerprint, others.length === 0 ? only : position])).toString(`,
      },
      {
        ...{ side: 'new', file: paging },
        find: "JSON.parse(Buffer.from(cursor, 'base64url')",
        put: "JSON.parse(Buffer.from(cursor.startsWith('2.') ? cursor.slice(2) : '', 'base64url')",
      },
    ],
  },
  'prepared-star': {
    what: 'The old release prepares a statement that returns *, and the new one adds a column.',
    migration: 'ALTER TABLE tasks ADD COLUMN remark text;',
    patches: [
      {
        // each change of a task runs this statement first
        ...{ side: 'old', file: 'services/tasks/src/postgres/locks.ts' },
        find: ' FROM tasks task WHERE task.id = $1 AND task.deleted_at IS NULL',
        put: ', task.* FROM tasks task WHERE task.id = $1 AND task.deleted_at IS NULL',
      },
    ],
  },
  'new-state': {
    what: 'The new release stores drafts in a state that the old one does not know, and shows them as drafts.',
    migration: `ALTER TABLE tasks DROP CONSTRAINT tasks_state_check;
ALTER TABLE tasks ADD CONSTRAINT tasks_state_check
  CHECK (state IN ('draft', 'backlog', 'assigned', 'in_progress', 'completed', 'cancelled')) NOT VALID;`,
    patches: [
      {
        ...{ side: 'new', file: 'services/tasks/src/postgres/create.ts' },
        find: `columns(id, "'draft'", '$10', kind)`,
        put: `columns(id, "'backlog'", '$10', kind)`,
      },
      {
        ...{ side: 'new', file: 'services/tasks/src/postgres/task-json.ts' },
        find: '${task}.state, ${task}.priority',
        put: "CASE ${task}.state WHEN 'backlog' THEN 'draft' ELSE ${task}.state END AS state, ${task}.priority",
      },
      {
        ...{ side: 'new', file: 'services/tasks/src/postgres/locks.ts' },
        find: 'task.description, task.state,',
        put: "task.description, CASE task.state WHEN 'backlog' THEN 'draft' ELSE task.state END AS state,",
      },
    ],
  },
};

/** Applies a break to the worktree of a release. @throws if a text does not occur exactly once. */
export function plant(dir: string, o: { side: Side; name: PlantedName | undefined; minVersion: string }): void {
  if (o.name === undefined) return;
  const { migration, patches } = planted[o.name];
  for (const { file, find, put } of patches.filter(({ side }) => side === o.side)) {
    const path = join(dir, file);
    writeFileSync(path, patched(readFileSync(path, 'utf8'), { file, find, put }));
  }
  if (migration === undefined || o.side === 'old') return;
  const folder = join(dir, 'services/tasks/migrations');
  const number = readdirSync(folder).filter((file) => file.endsWith('.sql')).length + 1;
  writeFileSync(
    join(folder, `${String(number).padStart(4, '0')}_planted.sql`),
    `-- min_version: ${o.minVersion}\n${migration}\n`,
  );
}

export function patched(source: string, { file, find, put }: { file: string; find: string; put: string }): string {
  if (source.split(find).length !== 2) throw new Error(`"${find}" does not occur exactly once in ${file}.`);
  return source.replace(find, () => put);
}
