import { query, type Database } from '@taskwire/postgres';
import type { ChangePage, ChangeRange, Feed, FeedName } from '../../app/sync/ports.ts';
import { boundedReads } from '../lists/bounded-reads.ts';
import { isReadableTo } from '../projects/readable.ts';
import { displayName, syncedTaskJson } from '../task-json.ts';
import { createSettling, type Settling } from './settling.ts';

const removed = (id: string) => `json_build_object('id', ${id}, 'deleted', true)::text`;

/** The tasks that changed, and those that were removed, also for good. */
export const readChangedTasks = {
  name: 'tasks.read_changed_tasks',
  text: `
  WITH changed AS MATERIALIZED (
    SELECT task.* FROM tasks task
    WHERE task.change_no > $1 AND task.change_no <= $2 AND (task.deleted_at IS NULL OR task.change_no > $3)
      AND ${isReadableTo('task', '$5')}
    ORDER BY task.change_no LIMIT $4
  ), gone AS MATERIALIZED (
    SELECT change_no, task_id FROM task_tombstones
    WHERE change_no > greatest($1::bigint, $3::bigint) AND change_no <= $2 ORDER BY change_no LIMIT $4
  )
  SELECT change_no AS "changeNo", json FROM (
    SELECT task.change_no, CASE WHEN task.deleted_at IS NULL THEN ${syncedTaskJson('task')} ELSE ${removed('task.id')} END AS json
    FROM changed task
    UNION ALL SELECT change_no, ${removed('task_id')} FROM gone
  ) AS item ORDER BY change_no LIMIT $4`,
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
  tasks: { numbered: { table: 'tasks', sequence: 'task_changes' }, statement: readChangedTasks },
  people: { numbered: { table: 'directory_users', sequence: 'directory_changes' }, statement: readChangedPeople },
} as const;

export type SettlingFeed = Feed & Settling;

/** The feeds of this database. `advanced` is called when a feed has more settled numbers. */
export function createFeeds(
  db: Database,
  advanced: (feed: FeedName) => void,
): Readonly<Record<FeedName, SettlingFeed>> {
  const bounded = boundedReads(db);
  const feedOf = (name: FeedName): SettlingFeed => {
    const { numbered, statement } = sources[name];
    return {
      ...createSettling(db, numbered, () => advanced(name)),
      read: async ({ after, upTo, floor, limit, reader }: ChangeRange): Promise<ChangePage> => {
        if (after >= upTo) return { items: [], last: undefined };
        const rows = await bounded(
          async (tx) =>
            await query<{ changeNo: string; json: string }>(tx, {
              ...statement,
              values: [after, upTo, floor, limit + 1, ...(name === 'tasks' ? [reader] : [])],
            }),
        );
        const page = rows.slice(0, limit);
        return {
          items: page.map(({ json }) => json),
          last: rows.length > limit ? Number(page.at(-1)?.changeNo) : undefined,
        };
      },
    };
  };
  return { tasks: feedOf('tasks'), people: feedOf('people') };
}
