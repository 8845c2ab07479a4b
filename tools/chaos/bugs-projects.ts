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
        find: "${isReadableTo('former', '$5')}",
        put: 'false',
      },
    ],
  },
  'former-members-read': {
    what: 'A user who was removed from a project still reads its tasks.',
    patches: [
      {
        file: 'services/tasks/src/postgres/projects/readable.ts',
        find: 'ARRAY(SELECT project_id FROM project_members WHERE user_id',
        put: 'ARRAY(SELECT project_id FROM project_access WHERE user_id',
      },
    ],
  },
  'leak-across-time': {
    what: 'The readers of a task also read its activity and its states from the time in a project of others.',
    patches: [
      {
        file: 'services/tasks/src/postgres/activity/readable-entries.ts',
        find: '(${reader}::uuid IS NULL OR NOT EXISTS (',
        put: '(${reader}::uuid IS NULL OR true OR NOT EXISTS (',
      },
      {
        file: 'services/tasks/src/postgres/activity/reads.ts',
        find: " AND ${isReadableTo('place', '$3')}`;",
        put: '`;',
      },
    ],
  },
} satisfies Record<string, Bug>;
