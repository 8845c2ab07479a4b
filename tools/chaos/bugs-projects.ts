import type { Bug } from './bug.ts';

/** Deliberate bugs of projects. See `bug.ts`. */
export const projectBugs = {
  'leak-across-projects': {
    what: 'Every user reads the tasks of every project.',
    patches: [
      {
        file: 'services/tasks/src/postgres/projects/readable.ts',
        find: 'return `(${row}.project_id IS NULL OR ${isOneOf(`${row}.project_id`, reader)})`;',
        put: 'return `(${row}.project_id IS NULL OR ${reader}::uuid IS NOT NULL)`;',
      },
    ],
  },
  'leave-without-reassignment': {
    what: 'A contributor who leaves a project keeps the open tasks in it.',
    patches: [
      {
        file: 'services/tasks/src/postgres/projects/contributors.ts',
        find: 'return `(${task}.project_id IS NOT NULL AND NOT',
        put: 'return `(false AND NOT',
      },
    ],
  },
  'move-without-subtree': {
    what: 'A task that is moved to another project leaves its sub-tasks behind.',
    patches: [
      {
        file: 'services/tasks/src/app/change-task.ts',
        find: 'id === taskId ? [] : (locked.get(id) ?? [])',
        put: 'id === taskId || locked.has(id) ? [] : (locked.get(id) ?? [])',
      },
    ],
  },
  'move-without-tombstone': {
    what: 'The sync feed does not remove a task that was moved to a project which its reader may not read.',
    patches: [
      {
        file: 'services/tasks/src/postgres/sync/feeds.ts',
        find: 'WHERE former.change_no > greatest(',
        put: 'WHERE false AND former.change_no > greatest(',
      },
    ],
  },
} satisfies Record<string, Bug>;
