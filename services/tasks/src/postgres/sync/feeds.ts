import { query, type Database, type Tx } from '@taskwire/postgres';
import type { AccessChange, ChangePage, Feed, FeedName } from '../../app/sync/ports.ts';
import { boundedReads, type Turns } from '../lists/bounded-reads.ts';
import { isReadableTo } from '../projects/readable.ts';
import { displayName, syncedTaskJson } from '../task-json.ts';
import { createSettling, type Settling } from './settling.ts';

const removed = (id: string) => `json_build_object('id', ${id}, 'deleted', true)::text`;

/**
 * The tasks that changed, the tasks that are gone, and the projects that the reader has gained or lost. A task is gone for a reader who could read
 * it in the project of its tombstone, unless the reader can read it now and already has its last change, or gets it with the tombstone. `comesAt` is
 * the number of a later change of a task that the reader can read now. A project counts as gained or lost by the reader's access now; a later change
 * of the access follows in a later page.
 */
export const readChangedTasks = {
  name: 'tasks.read_changed_tasks',
  text: `
  WITH changed AS MATERIALIZED (
    SELECT task.* FROM tasks task
    WHERE task.change_no > $1 AND task.change_no <= $2 AND (task.deleted_at IS NULL OR task.change_no > $3)
      AND ${isReadableTo('task', '$5')}
    ORDER BY task.change_no LIMIT $4
  ), gone AS MATERIALIZED (
    SELECT former.change_no, former.task_id FROM task_tombstones former
    WHERE former.change_no > greatest($1::bigint, $3::bigint) AND former.change_no <= $2 AND ${isReadableTo('former', '$5')}
      AND NOT EXISTS (
        SELECT FROM tasks task
        WHERE task.id = former.task_id AND (task.change_no > former.change_no) IS NOT TRUE AND task.deleted_at IS NULL AND ${isReadableTo('task', '$5')}
      )
    ORDER BY former.change_no LIMIT $4
  ), access AS MATERIALIZED (
    SELECT change_no, project_id FROM project_access
    WHERE user_id = $5::uuid AND change_no > greatest($1::bigint, $3::bigint) AND change_no <= $2 ORDER BY change_no LIMIT $4
  )
  SELECT change_no AS "changeNo", json, project_id, access, comes_at AS "comesAt" FROM (
    SELECT task.change_no, CASE WHEN task.deleted_at IS NULL THEN ${syncedTaskJson('task')} ELSE ${removed('task.id')} END AS json,
      NULL::uuid AS project_id, NULL AS access, NULL::bigint AS comes_at
    FROM changed task
    UNION ALL SELECT change_no, ${removed('task_id')}, NULL, NULL, (
      SELECT task.change_no FROM tasks task WHERE task.id = gone.task_id AND task.deleted_at IS NULL AND ${isReadableTo('task', '$5')}
    ) FROM gone
    UNION ALL SELECT change_no, NULL, project_id, CASE WHEN ${isReadableTo('access', '$5')} THEN 'gained' ELSE 'lost' END, NULL FROM access
  ) AS item ORDER BY change_no LIMIT $4`,
};

/**
 * How many changes a page passes over, most of which may not concern the reader: tasks in projects of others, tasks that were deleted before the
 * copy was begun, and tombstones of tasks that the reader still reads in another place. A page that ends there may be empty, and another one follows.
 * Without an end, a page could exceed the time of a statement for ever.
 */
const mostPassed = 5_000;

/**
 * The number of the change at which such a page ends, read from the indexes alone. A task that moved counts twice, with its tombstone.
 */
export const readLastPassed = {
  name: 'tasks.read_last_passed',
  text: `
  SELECT number FROM (
    (
      SELECT task.change_no AS number FROM tasks task WHERE task.change_no > $1 AND task.change_no <= $2
      ORDER BY task.change_no LIMIT ${mostPassed}
    )
    UNION ALL (
      SELECT former.change_no FROM task_tombstones former WHERE former.change_no > greatest($1::bigint, $3::bigint) AND former.change_no <= $2
      ORDER BY former.change_no LIMIT ${mostPassed}
    )
  ) AS passed ORDER BY number OFFSET ${mostPassed - 1} LIMIT 1`,
};

/** The tasks of a project that have not changed since the reader gained it. */
export const readGainedTasks = {
  name: 'tasks.read_gained_tasks',
  text: `
  SELECT task.id, ${syncedTaskJson('task')} AS json FROM tasks task
  WHERE task.project_id = $1 AND ($2::uuid IS NULL OR task.id > $2) AND ($6::uuid IS NULL OR task.id <= $6)
    AND task.change_no <= $3 AND task.deleted_at IS NULL AND ${isReadableTo('task', '$5')}
  ORDER BY task.id LIMIT $4`,
};

/**
 * The last task that a page of a gained project passes over, read from the index alone; no row if the rest of the project fits. Most tasks may have
 * changed since the reader gained it, and are sent as changes.
 */
export const readLastGained = {
  name: 'tasks.read_last_gained',
  text: `
  SELECT task.id FROM tasks task WHERE task.project_id = $1 AND ($2::uuid IS NULL OR task.id > $2) AND task.deleted_at IS NULL
  ORDER BY task.id OFFSET ${mostPassed - 1} LIMIT 1`,
};

/** The users whose names changed, without those whose names are not known yet. */
export const readChangedPeople = {
  name: 'tasks.read_changed_people',
  text: `
  SELECT change_no AS "changeNo",
    CASE WHEN is_deleted THEN ${removed('id')} ELSE json_build_object('id', id, 'name', ${displayName('person')})::text END AS json
  FROM directory_users person
  WHERE change_no > $1 AND change_no <= $2 AND CASE WHEN is_deleted THEN change_no > $3 ELSE name IS NOT NULL END
  ORDER BY change_no LIMIT $4`,
};

const sources = {
  tasks: {
    numbered: { tables: ['tasks', 'project_members'], sequence: 'task_changes' },
    statement: readChangedTasks,
    dependsOnReader: true,
  },
  people: {
    numbered: { tables: ['directory_users'], sequence: 'directory_changes' },
    statement: readChangedPeople,
    dependsOnReader: false,
  },
} as const;

export type SettlingFeed = Feed & Settling;

type ChangeRow = { changeNo: string; json: string | null; comesAt?: string | null } & Partial<AccessChange>;

/** The feeds of this database. Pages take turns. `advanced` is called when a feed has more settled numbers. */
export function createFeeds(
  db: Database,
  inTurn: Turns,
  advanced: (feed: FeedName) => void,
): Readonly<Record<FeedName, SettlingFeed>> {
  const bounded = boundedReads(db, inTurn);
  const feedOf = (name: FeedName): SettlingFeed => {
    const { numbered, statement, dependsOnReader } = sources[name];
    return {
      ...createSettling(db, numbered, () => advanced(name)),
      async read({ after, upTo, floor, limit, reader }) {
        if (after >= upTo) return { items: [], projects: [], last: undefined };
        const passesOver = dependsOnReader && upTo - after > mostPassed;
        return await bounded(async (tx) => {
          const last = passesOver ? await lastPassed(tx, [after, upTo, floor]) : undefined;
          const values = [after, last ?? upTo, floor, limit + 1, ...(dependsOnReader ? [reader] : [])];
          const page = pageOf(await query<ChangeRow>(tx, { ...statement, values }), { limit, end: last ?? upTo });
          return page.last === undefined ? { ...page, last } : page;
        });
      },
      async refill({ projectId, afterId, upTo }, { limit, reader }) {
        return await bounded(async (tx) => {
          const [end] = await query<{ id: string }>(tx, { ...readLastGained, values: [projectId, afterId] });
          const values = [projectId, afterId, upTo, limit, reader, end?.id ?? null];
          const rows = await query<{ id: string; json: string }>(tx, { ...readGainedTasks, values });
          const last = rows.length < limit ? end : rows.at(-1);
          return { items: rows.map(({ json }) => json), rest: last && { projectId, afterId: last.id, upTo } };
        });
      },
    };
  };
  return { tasks: feedOf('tasks'), people: feedOf('people') };
}

async function lastPassed(tx: Tx, values: unknown[]): Promise<number | undefined> {
  const [row] = await query<{ number: string }>(tx, { ...readLastPassed, values });
  return row && Number(row.number);
}

/**
 * A page of at most `limit` rows, which ends with the first project that was gained. A further row shows that another page follows; without one, the
 * page ends at the number `end`. A task that left its place and comes in a later page is reported as gone: by then, the reader may have lost the place
 * in which it comes, and the copy does not know that the task is there.
 */
function pageOf(rows: readonly ChangeRow[], { limit, end }: { limit: number; end: number }): ChangePage {
  const gained = rows.slice(0, limit).findIndex(({ access }) => access === 'gained');
  const page = rows.slice(0, gained < 0 ? limit : gained + 1);
  const last = page.at(-1);
  const upTo = Number(last?.changeNo);
  const isFollowed = gained >= 0 || rows.length > limit;
  const comesInPage = ({ comesAt }: ChangeRow) => comesAt != null && Number(comesAt) <= (isFollowed ? upTo : end);
  return {
    items: page.flatMap((row) => (row.json === null || comesInPage(row) ? [] : row.json)),
    projects: page.flatMap(({ project_id, access }) => (project_id && access ? { project_id, access } : [])),
    last: isFollowed ? upTo : undefined,
    refill: gained >= 0 && last?.project_id ? { projectId: last.project_id, afterId: null, upTo } : undefined,
  };
}
