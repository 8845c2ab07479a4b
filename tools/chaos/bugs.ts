import type { Bug } from './bug.ts';
import { followBugs } from './bugs-follow.ts';
import { jobBugs } from './bugs-jobs.ts';
import { journeyBugs } from './bugs-journeys.ts';
import { projectBugs } from './bugs-projects.ts';
import { undoBugs } from './bugs-undo.ts';
import { waitBugs } from './bugs-waits.ts';

const messageBugs = {
  'ack-before-commit': {
    what: 'The consumer acks a message before its effect is committed.',
    patches: [
      {
        file: 'packages/rabbit/src/consumer.ts',
        find: `      await withExtractedTrace(carrierOf(delivery.headers), processSpan(queue, delivery), () => onMessage(delivery));
      if (ended.aborted) return metrics.deliveries.inc({ queue, outcome: 'lost' });
      acks.ack(message);`,
        put: `      acks.ack(message);
      // what fails now has nowhere to go back to
      await onMessage(delivery).catch(() => undefined);`,
      },
    ],
  },
  'delete-before-confirm': {
    what: 'The relay deletes the rows of the outbox before the broker has confirmed their messages.',
    patches: [
      {
        file: 'packages/outbox/src/window.ts',
        find: `      (outcome) => {
        inFlight -= 1;
        if (outcome === 'confirmed') confirm(chain, row);
        else block(chain, 'returned', \`no queue is bound for \${row.type}\`);
        sendReady();
      },
      (error: unknown) => {
        inFlight -= 1;
        failed(chain, error);
        sendReady();
      },
    );`,
        put: `      () => {
        inFlight -= 1;
        sendReady();
      },
      () => {
        inFlight -= 1;
        sendReady();
      },
    );
    confirm(chain, row);`,
      },
    ],
  },
  'event-time-instead-of-version': {
    what: 'The user directory applies a fetched state by the time of the newest event, not by its version.',
    patches: [
      {
        file: 'packages/user-directory/src/apply.ts',
        find: '(stored.source_epoch, stored.version) < (excluded.source_epoch, excluded.version)',
        put: "coalesce(stored.event_at, '-infinity') < excluded.updated_at",
      },
    ],
  },
} satisfies Record<string, Bug>;

export type BugName =
  | keyof typeof messageBugs
  | keyof typeof jobBugs
  | keyof typeof journeyBugs
  | keyof typeof undoBugs
  | keyof typeof waitBugs
  | keyof typeof projectBugs
  | keyof typeof followBugs;

export const bugs: Record<BugName, Bug> = {
  ...messageBugs,
  ...jobBugs,
  ...journeyBugs,
  ...undoBugs,
  ...waitBugs,
  ...projectBugs,
  ...followBugs,
};
export const bugNames = Object.keys(bugs) as BugName[];
