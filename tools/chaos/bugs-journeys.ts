import type { Bug } from './bug.ts';

/** Bugs of the journeys, which the checker has to find. */
export const journeyBugs = {
  'journey-without-batch': {
    what: 'The relay records only the first of the events that are confirmed together.',
    patches: [
      {
        file: 'packages/outbox/src/published-events.ts',
        find: 'FROM deleted JOIN unnest',
        put: 'FROM (SELECT * FROM deleted LIMIT 1) AS deleted JOIN unnest',
      },
    ],
  },
  'journey-by-wall-clock': {
    what: 'The relay takes the time of a publish from the wall clock of its process.',
    patches: [
      {
        file: 'packages/outbox/src/database-clock.ts',
        find: 'Math.round(Math.max(latest, previous) + monotonic() * 1_000)',
        put: 'Date.now() * 1_000',
      },
    ],
  },
  'journey-age-in-seconds': {
    what: 'The inbox takes the age of a message, which is in milliseconds, for seconds.',
    patches: [
      {
        file: 'packages/inbox/src/received-jobs.ts',
        find: "job.age_ms * interval '1 millisecond'",
        put: "job.age_ms * interval '1 second'",
      },
    ],
  },
} satisfies Record<string, Bug>;
