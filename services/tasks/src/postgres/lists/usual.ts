import { hash } from 'node:crypto';
import { keyset, query, type Place, type Queryable } from '@taskwire/postgres';
import type { ListedTaskJson } from '../../app/ports.ts';
import { latestFirst, type TaskList } from '../../app/task-list.ts';
import { isReadable } from '../projects/readable.ts';
import { conditionsOf } from './conditions.ts';
import { keysetOf, pageStatement, shown } from './page.ts';

type UsualList = Omit<TaskList, 'order'>;
type Statement = { name: string; text: string; values: unknown[] };
type Row = { id: string; json: ListedTaskJson };

/**
 * How many tasks the list of a member passes over for one page, most of which may be in projects of others. A page has at most 200 tasks, and a
 * thousand rows of an index take less than a millisecond.
 */
const mostPassed = 1_000;

const usualFilters = new Set(['state', 'assignee', 'creator', 'mine', 'kind', 'project']);

/** Whether a list is in the default order and has only filters with an index. */
export function isUsual({ filter, order, withStats }: TaskList): boolean {
  return order === latestFirst && withStats !== true && given(filter).every((name) => usualFilters.has(name));
}

/**
 * Reads a page of such a list, with one more row if another page follows. A list of a member is first read in its order, which fills the page unless most
 * tasks are in projects of others, or few tasks are left. The page is then read from each project of the member.
 */
export async function readUsualList(db: Queryable, list: UsualList, place: Place): Promise<Row[]> {
  const rows = await query<Row>(db, usualList(list, place));
  if (!passesOver(list) || rows.length > place.limit) return rows;
  return await query<Row>(db, mergedList(list, place));
}

/** Whether a list may pass over many tasks in projects of others. A user's tasks are in projects that this user could read, and so are few besides those. */
export function passesOver({ reader, filter }: UsualList): boolean {
  return reader !== null && given(filter).every((name) => name === 'state');
}

/**
 * The statement of a page in the order of the list, prepared for each shape (864 at most). PostgreSQL plans the first calls for their own values, and then
 * keeps one plan for all values only if it expects that to cost no more. Unprepared, planning is most of a list: 1.2 to 7 times the CPU time (ADR 35).
 */
export function usualList(list: UsualList, place: Place): Statement {
  return prepared(passesOver(list) ? boundedList(list, place) : pageStatement({ ...list, order: latestFirst }, place));
}

function boundedList({ reader, filter }: UsualList, place: Place): Omit<Statement, 'name'> {
  const { conditions, values } = conditionsOf({ reader: null, filter });
  const readable = isReadable('task', `$${values.push(reader)}`);
  const page = keyset(keysetOf(latestFirst), place, values.length + 1);
  const rows = `
      SELECT task.* FROM (
        SELECT task.* FROM tasks task WHERE ${[...conditions, page.condition].join(' AND ')} ORDER BY task.id DESC LIMIT ${mostPassed}
      ) AS task
      WHERE ${readable} ${page.orderAndLimit}`;
  return { text: shown(rows, latestFirst), values: [...values, ...page.values] };
}

/**
 * The latest tasks of each project of the reader, and of those outside of projects, merged. LATERAL with a LIMIT forces one look-up per task, as in
 * `joinUsers`.
 */
export function mergedList({ reader, filter }: UsualList, place: Place): Statement {
  const { conditions, values } = conditionsOf({ reader: null, filter });
  const user = `$${values.push(reader)}`;
  const page = keyset(keysetOf(latestFirst), place, values.length + 1);
  const latestIn = (project: string) =>
    `SELECT task.id FROM tasks task WHERE ${[project, ...conditions, page.condition].join(' AND ')} ${page.orderAndLimit}`;
  const rows = `
      SELECT task.* FROM (
        SELECT task.id FROM (
          (${latestIn('task.project_id IS NULL')})
          UNION ALL
          SELECT own.id FROM project_members member CROSS JOIN LATERAL (${latestIn('task.project_id = member.project_id')}) AS own
          WHERE member.user_id = ${user}
        ) AS task ${page.orderAndLimit}
      ) AS latest CROSS JOIN LATERAL (SELECT * FROM tasks WHERE id = latest.id LIMIT 1) AS task`;
  return prepared({ text: shown(rows, latestFirst), values: [...values, ...page.values] });
}

function prepared({ text, values }: Omit<Statement, 'name'>): Statement {
  return { name: `tasks.list_${hash('sha1', text).slice(0, 8)}`, text, values };
}

function given(filter: TaskList['filter']): string[] {
  return Object.entries(filter).flatMap(([name, value]) => (value === undefined ? [] : [name]));
}
