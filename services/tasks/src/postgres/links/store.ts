import { eventHeaders, runWithEvents } from '@taskwire/outbox';
import { nextTimestamp, onlyRow, query, type Tx } from '@taskwire/postgres';
import type { LinkStore } from '../../app/links/ports.ts';
import type { Wait } from '../../domain/links/cycle.ts';
import type { DependencyCounts } from '../../domain/links/dependencies.ts';
import type { Hindrances } from '../../domain/links/hindrances.ts';
import type { Place } from '../../domain/links/parents.ts';
import type { NamedTask } from '../../domain/links/related.ts';
import type { ActedTask } from '../../domain/task.ts';
import { actedTaskColumns, lockToEnd } from '../locks.ts';
import { isReadableTo } from '../projects/readable.ts';
import { changeSpan, recordChangeSql } from '../record-change.ts';
import { lockGraph } from './graph-lock.ts';
import { hasNotEnded, isUnfinished } from './unfinished.ts';

/** Reading more waits would keep the graph locked for longer than about a tenth of a second. */
const mostWaits = 10_000;

const lockTasks = `SELECT ${actedTaskColumns} FROM tasks task
  WHERE task.id = ANY ($1::uuid[]) AND task.deleted_at IS NULL AND ${isReadableTo('task', '$2')} ORDER BY task.id FOR UPDATE`;

const listSubtree = `
  WITH RECURSIVE subtree AS (
    SELECT $1::uuid AS id
    UNION ALL SELECT child.id FROM subtree JOIN tasks child ON child.parent_id = subtree.id AND child.deleted_at IS NULL
  )
  SELECT id FROM subtree LIMIT $2`;

/** Deleted tasks below the task count as levels, because they may be restored. */
const readPlace = `
  WITH RECURSIVE above AS (
    SELECT id, parent_id, 1 AS level FROM tasks WHERE id = $2
    UNION ALL SELECT parent.id, parent.parent_id, level + 1 FROM above JOIN tasks parent ON parent.id = above.parent_id
  ), below AS (
    SELECT $1::uuid AS id, 1 AS level
    UNION ALL SELECT child.id, level + 1 FROM below JOIN tasks child ON child.parent_id = below.id
  )
  SELECT (SELECT array_agg(id ORDER BY level) FROM above) AS ancestors, (SELECT max(level) FROM below) AS levels,
    (SELECT count(*)::integer FROM tasks child WHERE child.parent_id = $2 AND ${isUnfinished('child')}) AS "openSubtasks"`;

const waitsOf = (task: string) => `
    SELECT edge.task_id AS task, edge.blocker_id AS waits_for
    FROM task_blockers edge JOIN tasks blocker ON blocker.id = edge.blocker_id WHERE edge.task_id = ${task} AND ${hasNotEnded('blocker')}
    UNION ALL SELECT child.parent_id, child.id FROM tasks child WHERE child.parent_id = ${task} AND ${hasNotEnded('child')}`;

const readWaits = `
  WITH RECURSIVE waits AS (
    SELECT * FROM (${waitsOf('$1')}) AS first
    UNION SELECT further.* FROM waits CROSS JOIN LATERAL (${waitsOf('waits.waits_for')}) AS further
  )
  SELECT task, waits_for AS "waitsFor" FROM waits LIMIT ${mostWaits + 1}`;

export const readHindrances = {
  name: 'tasks.read_hindrances',
  text: `
  SELECT ARRAY(
      SELECT blocker.id FROM task_blockers edge JOIN tasks blocker ON blocker.id = edge.blocker_id
      WHERE edge.task_id = $1 AND ${isUnfinished('blocker')} ORDER BY blocker.id
    ) AS blockers,
    ARRAY(SELECT child.id FROM tasks child WHERE child.parent_id = $1 AND ${isUnfinished('child')} ORDER BY child.id) AS subtasks`,
};

const countDependencies = `
  SELECT (SELECT count(*)::integer FROM task_blockers WHERE task_id = $1) AS blockers,
    (SELECT count(*)::integer FROM task_blockers WHERE blocker_id = $2) AS blocked,
    EXISTS (SELECT FROM task_blockers WHERE task_id = $1 AND blocker_id = $2) AS "isStored"`;

/** Records a change of a dependency of the tasks in `changed`. Neither their version nor their time changes. */
const recorded = `
  recorded AS MATERIALIZED (
    SELECT task.id, task.project_id, ${nextTimestamp('task.updated_at', changeSpan)} AS updated_at, $3::jsonb AS events, $4::jsonb AS log
    FROM changed JOIN tasks task ON task.id = changed.task_id
  ), ${recordChangeSql('recorded', '$5::uuid', '$6::json')}
  SELECT FROM recorded`;

const addDependency = `
  WITH linked AS (
    UPDATE tasks SET is_linked = true WHERE id IN ($1, $2) AND NOT is_linked
  ), changed AS (
    INSERT INTO task_blockers (task_id, blocker_id) VALUES ($1, $2) RETURNING task_id
  ), ${recorded}`;

const removeDependency = `
  WITH changed AS (
    DELETE FROM task_blockers WHERE task_id = $1 AND blocker_id = $2 RETURNING task_id
  ), ${recorded}`;

const nameTasks = `
  SELECT task.id, task.title FROM unnest($1::uuid[]) WITH ORDINALITY AS given (id, place) JOIN tasks task ON task.id = given.id
  WHERE task.deleted_at IS NULL AND ${isReadableTo('task', '$2')} ORDER BY given.place LIMIT $3`;

/** The PostgreSQL store of the graph of tasks. */
export const linkStore: LinkStore = {
  lockGraph,
  lockTasks: async (tx, ids, reader) => byId(await query<ActedTask>(tx, lockTasks, [ids, reader])),
  listSubtree: async (tx, rootId, limit) =>
    (await query<{ id: string }>(tx, listSubtree, [rootId, limit])).map(({ id }) => id),
  lockTasksToEnd: async (tx, ids, reader) => byId(await lockToEnd(tx, ids, reader)),
  readPlace: async (tx, { taskId, parentId }) => onlyRow(await query<Place>(tx, readPlace, [taskId, parentId])),
  async readWaits(tx, taskId) {
    const waits = await query<Wait>(tx, readWaits, [taskId]);
    return waits.length > mostWaits ? undefined : waits;
  },
  readHindrances: async (tx, taskId) => onlyRow(await query<Hindrances>(tx, { ...readHindrances, values: [taskId] })),
  countDependencies: async (tx, { taskId, blockerId }) =>
    onlyRow(await query<DependencyCounts & { isStored: boolean }>(tx, countDependencies, [taskId, blockerId])),
  addDependency: async (tx, o) => await change(tx, addDependency, o),
  removeDependency: async (tx, o) => await change(tx, removeDependency, o),
  markLinked: async (tx, taskId) => void (await query(tx, 'UPDATE tasks SET is_linked = true WHERE id = $1', [taskId])),
  nameTasks: async (tx, ids, { reader, limit }) => await query<NamedTask>(tx, nameTasks, [ids, reader, limit]),
};

async function change(
  tx: Tx,
  text: string,
  { taskId, blockerId, change: { event, entry }, actorId }: Parameters<LinkStore['addDependency']>[1],
): Promise<void> {
  const [events, log] = [JSON.stringify([event]), JSON.stringify([entry])];
  await runWithEvents(tx, { text, values: [taskId, blockerId, events, log, actorId, eventHeaders()] });
}

function byId(tasks: readonly ActedTask[]): Map<string, ActedTask> {
  return new Map(tasks.map((task) => [task.id, task]));
}
