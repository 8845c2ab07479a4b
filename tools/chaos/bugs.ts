/**
 * Deliberate bugs that the checker has to find. Each is a patch of the text of one product file, applied when a service loads it; the product has no
 * switch for it. A patch whose text is not found stops the service, so none can become stale unnoticed.
 */
export type Bug = {
  what: string;
  patches: { file: string; find: string; put: string }[];
};

export const bugNames = ['ack-before-commit', 'delete-before-confirm', 'event-time-instead-of-version'] as const;
export type BugName = (typeof bugNames)[number];

export const bugs: Record<BugName, Bug> = {
  'ack-before-commit': {
    what: 'The consumer acks a message before its effect is committed.',
    patches: [
      {
        file: 'packages/rabbit/src/consumer.ts',
        find: `      await onMessage(delivery);
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
        find: 'stored.version < excluded.version',
        put: "coalesce(stored.event_at, '-infinity') < excluded.updated_at",
      },
    ],
  },
};
