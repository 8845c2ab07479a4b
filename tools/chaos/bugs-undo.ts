import type { Bug } from './bug.ts';

/** Bugs of restorations, bulk requests and moves, which the checker has to find. */
export const undoBugs = {
  'bulk-without-results': {
    what: 'A bulk request does not store the results of its creations, so a repeated request creates the tasks again.',
    patches: [
      {
        file: 'services/tasks/src/app/bulk/stores.ts',
        find: 'createTask: async (task) => await tasks.createTask(task, request)',
        put: 'createTask: async (task) => await tasks.createTask(task, undefined)',
      },
    ],
  },
  'move-that-is-not-kept': {
    what: 'A task that has a position keeps it, although its move is acknowledged.',
    patches: [
      {
        file: 'services/tasks/src/postgres/positions.ts',
        find: 'DO UPDATE SET key = excluded.key',
        put: 'DO NOTHING',
      },
    ],
  },
  'restoration-without-event': {
    what: 'A task is restored without an event.',
    patches: [
      {
        file: 'services/tasks/src/domain/change.ts',
        find: `      case 'restored':
        return`,
        put: `        return [{ type: 'tasks.task.deleted' }];
      case 'restored':
        if (Date.now() > 0) return [];
        return`,
      },
    ],
  },
} satisfies Record<string, Bug>;
