import type { Bug } from './bug.ts';

/** Deliberate bugs of the sync feeds, the search and comments. See `bug.ts`. */
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
  'comment-notified-twice': {
    what: 'A user who was notified of a comment is notified again when a change of it mentions them.',
    patches: [
      {
        file: 'services/notifications/src/app/notify-about-task.ts',
        find: "commentId: 'comment_uuid' in event ? event.comment_uuid : null,",
        put: 'commentId: null,',
      },
    ],
  },
  'mention-announced-twice': {
    what: 'The event of a changed comment names everyone whom its text mentions as mentioned for the first time.',
    patches: [
      {
        file: 'services/tasks/src/domain/comment.ts',
        find: 'first: added.filter((id) => !comment.everMentioned.includes(id))',
        put: 'first: mentions',
      },
    ],
  },
} satisfies Record<string, Bug>;
