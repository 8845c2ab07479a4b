import type { Bug } from './bug.ts';

/** Deliberate bugs of the sync feeds and the search. See `bug.ts`. */
export const followBugs = {
  'skipped-sync-row': {
    what: 'The sync feed and the search do not wait for transactions that have a number and have not committed.',
    patches: [
      {
        file: 'packages/postgres/src/settled-numbers.ts',
        find: 'if (pending.writers.length > 0 || pending.epoch !== currentEpoch()) return undefined;',
        put: 'if (pending.epoch !== currentEpoch()) return undefined;',
      },
    ],
  },
  'event-without-entry': {
    what: 'A comment is added, changed and deleted with an event, but without an entry in the activity log.',
    patches: [
      {
        file: 'services/tasks/src/postgres/comments.ts',
        find: '${o.at} FROM ${changed}\n  ), emitted AS (',
        put: '${o.at} FROM ${changed} WHERE false\n  ), emitted AS (',
      },
    ],
  },
} satisfies Record<string, Bug>;
