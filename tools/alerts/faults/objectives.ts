import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from '../fault.ts';

/** Events of the first sixteen seconds are then more than a minute late. */
const overAMinuteMs = 76_000;
/** Slow enough that the late events arrive over several seconds, as an alert with a waiting time requires; with less, no connection is made in time. */
const slowBytesPerSecond = 6_000;
/** In each direction: a request with two statements takes longer than 250 ms, and the metrics are still read in time. */
const slowDatabaseMs = 80;

/**
 * The link between Notifications and RabbitMQ breaks for a minute, and is slow after that: events arrive late.
 * @param until the link stays broken until this, because alerts about causes would inhibit the one about late events
 */
export const brokerLinkFault = (until: Promise<unknown>): Fault => ({
  title: 'Notifications has no link to RabbitMQ for a minute',
  alerts: ['InboxIsStuck', 'NotificationsAreLate', 'FreshnessBudgetIsBurning', 'InboxIsLate'],
  patienceMs: 240_000,
  begin({ brokerLink }) {
    brokerLink.set({ kind: 'cut' });
    let isHealed = false;
    void Promise.all([delay(overAMinuteMs), until]).then(() => {
      if (!isHealed) brokerLink.set({ kind: 'throttle', bytesPerSecond: slowBytesPerSecond });
    });
    return Promise.resolve(() => {
      isHealed = true;
      brokerLink.heal();
      return Promise.resolve();
    });
  },
});

export const missingTable: Fault = {
  title: 'a table that every new task needs is missing',
  alerts: ['ApiIsUnavailable', 'ApiBudgetIsBurning'],
  async begin({ sql }) {
    await sql('tasks', 'ALTER TABLE idempotency_keys RENAME TO idempotency_keys_lost');
    return async () => await sql('tasks', 'ALTER TABLE idempotency_keys_lost RENAME TO idempotency_keys');
  },
};

export const slowDatabase: Fault = {
  title: 'the link between Tasks and PostgreSQL is slow',
  alerts: ['ApiIsSlow', 'LatencyBudgetIsBurning'],
  begin({ databaseLink }) {
    databaseLink.set({ kind: 'delay', ms: slowDatabaseMs });
    return Promise.resolve(() => Promise.resolve(databaseLink.heal()));
  },
};
