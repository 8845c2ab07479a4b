import type { tasksRoutes } from '@taskwire/contracts';
import { listCursors, type Cursors } from '@taskwire/http-server';
import type { z } from 'zod';
import { latestFirst, type TaskFilter, type TaskList, type TaskOrder } from '../app/task-list.ts';
import { utcInstant } from '../domain/instant.ts';
import { readFilterTree } from '../domain/search/filter-tree.ts';
import { readTextQuery } from '../domain/search/text-query.ts';

type Query = z.output<(typeof tasksRoutes.listTasks)['query']>;
type Search = Omit<z.output<(typeof tasksRoutes.searchTasks)['body']>, 'cursor' | 'limit' | 'include'>;

/**
 * The filter of a list as one caller means it.
 * @throws Problem `invalid_input` for an instant that PostgreSQL does not have, and what `readTextQuery` throws.
 */
export function filterOf(given: Omit<Query, 'cursor' | 'limit' | 'sort' | 'include'>, callerId: string): TaskFilter {
  const { assignee, mine, label, label_all, due_before, due_after, deleted, q, ...rest } = given;
  const { blocked, blocked_by: blockedBy, ...same } = rest;
  return {
    ...same,
    assignee: assignee === 'me' ? callerId : assignee,
    // true: assigned to the caller; false: all other tasks
    mine: mine === undefined ? undefined : { userId: callerId, is: mine === 'true' },
    isBlocked: blocked === undefined ? undefined : blocked === 'true',
    blockedBy,
    isDeleted: deleted === 'true' ? true : undefined,
    anyLabel: label,
    allLabels: label_all,
    dueBefore: due_before === undefined ? undefined : utcInstant(due_before, 'due_before'),
    dueAfter: due_after === undefined ? undefined : utcInstant(due_after, 'due_after'),
    text: q === undefined ? undefined : readTextQuery(q),
  };
}

/**
 * The filter of a search as one caller means it at a time (in milliseconds).
 * @throws Problem `invalid_input` that names the node at fault, and what `readTextQuery` throws.
 */
export function searchOf({ filter, q }: Search, reader: { callerId: string; now: number }): TaskFilter {
  return {
    tree: filter === undefined ? undefined : readFilterTree(filter, reader),
    text: q === undefined ? undefined : readTextQuery(q),
  };
}

const positions = {
  created_at: 'id',
  updated_at: 'instant and id',
  due_at: 'instant or none, and id',
  priority: 'number and id',
  relevance: 'number',
  manual: 'key or none, and id',
} as const;

/** The cursors of a list. Cursors of the default order are the same as in releases that had no other order. */
export function cursorsOf({ filter, order }: TaskList): Cursors {
  const sorted = order === latestFirst ? {} : { order: [order.by, order.direction] };
  return listCursors(positions[order.by], { name: 'tasks', filter: { ...filter, ...sorted } });
}

/**
 * The cursors of a search. They are bound to the caller, and to the filter as it was sent, because its durations mean different instants for each
 * page.
 */
export function cursorsOfSearch(
  { filter, q }: Search,
  { callerId, order: { by, direction } }: { callerId: string; order: TaskOrder },
): Cursors {
  return listCursors(positions[by], { name: 'search', filter: { filter, q, callerId, order: [by, direction] } });
}

/** The cursors of the tasks of a view. They are bound to its version, because a change of the view may change its filter or order. */
export function cursorsOfView(
  { id, version }: { id: string; version: number },
  callerId: string,
  { by }: TaskOrder,
): Cursors {
  return listCursors(positions[by], { name: 'view tasks', filter: { view: id, version, callerId } });
}
