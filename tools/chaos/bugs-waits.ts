import type { Bug } from './bug.ts';

/** Deliberate bugs of sub-tasks and dependencies. See `bug.ts`. */
export const waitBugs = {
  'unblocked-twice': {
    what: 'A task whose last blocker has ended is announced twice.',
    patches: [
      {
        file: 'services/tasks/src/postgres/links/unblock.ts',
        find: '  await runWithEvents(tx, { ...unblockTasks, values: [ended, actorId, eventHeaders()] });',
        put: `  for (const _ of [1, 2])
    await runWithEvents(tx, { ...unblockTasks, values: [ended, actorId, eventHeaders()] });`,
      },
    ],
  },
  'unblocked-never': {
    what: 'A task whose last blocker is cancelled or completed by a user is not announced.',
    patches: [
      {
        file: 'services/tasks/src/postgres/apply.ts',
        find: 'if (row.has_ended === true) await',
        put: "if (row.has_ended === true && 'is_deleted' in change.set) await",
      },
    ],
  },
  'blocked-tasks-start': {
    what: 'Blockers and sub-tasks are ignored when a task is started or completed.',
    patches: [
      {
        file: 'services/tasks/src/app/transition-task.ts',
        find: 'task.is_linked ? await links.readHindrances(tx, task.id) : none',
        put: 'none',
      },
    ],
  },
} satisfies Record<string, Bug>;
