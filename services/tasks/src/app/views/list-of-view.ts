import { readerOf } from '../../domain/projects/reader.ts';
import { readFilterTree } from '../../domain/search/filter-tree.ts';
import { readTextQuery } from '../../domain/search/text-query.ts';
import type { Actor } from '../../domain/task.ts';
import { orderOf, type TaskList } from '../task-list.ts';
import type { View, ViewContent } from './ports.ts';

/** The tasks that a view currently shows to a user, in the order of the view. @throws what a search with its content throws. */
export function listOfView(view: View, actor: Actor): TaskList {
  const order = view.sort === 'manual' ? ({ by: 'manual', direction: 'ASC', viewId: view.id } as const) : orderOf(view);
  return { ...shownTasks(view, actor), order };
}

/** The same tasks, unordered. */
export function shownTasks({ filter, q }: Pick<ViewContent, 'filter' | 'q'>, actor: Actor): Omit<TaskList, 'order'> {
  return {
    reader: readerOf(actor),
    filter: {
      tree: filter === null ? undefined : readFilterTree(filter, { callerId: actor.id, now: Date.now() }),
      text: q === null ? undefined : readTextQuery(q),
    },
  };
}
