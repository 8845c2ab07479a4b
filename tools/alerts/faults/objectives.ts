import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from '../fault.ts';

/** A lag of more than a minute takes a minute. */
const overAMinuteMs = 63_000;
/** Slow enough that the late events arrive over some seconds, as an alert with a waiting time requires. */
const slowBytesPerSecond = 20_000;

/** The link between Notifications and RabbitMQ breaks for a minute, and is slow after that: events arrive late. */
export const brokerLinkFault: Fault = {
  title: 'Notifications has no link to RabbitMQ for a minute',
  alerts: ['NotificationsAreLate', 'FreshnessBudgetIsBurning', 'InboxIsLate'],
  patienceMs: overAMinuteMs + 40_000,
  begin({ brokerLink }) {
    brokerLink.set({ kind: 'cut' });
    const timer = setTimeout(
      () => brokerLink.set({ kind: 'throttle', bytesPerSecond: slowBytesPerSecond }),
      overAMinuteMs,
    );
    return Promise.resolve(() => {
      clearTimeout(timer);
      brokerLink.heal();
      return Promise.resolve();
    });
  },
};

export const objectiveFaults: readonly Fault[] = [
  {
    title: 'a table that every new task needs is missing',
    alerts: ['ApiIsUnavailable', 'ApiBudgetIsBurning'],
    async begin({ sql }) {
      await sql('tasks', 'ALTER TABLE idempotency_keys RENAME TO idempotency_keys_lost');
      return async () => await sql('tasks', 'ALTER TABLE idempotency_keys_lost RENAME TO idempotency_keys');
    },
  },
  {
    title: 'a session locks a table again and again, each time for 400 ms',
    alerts: ['ApiIsSlow', 'LatencyBudgetIsBurning'],
    async begin({ connect }) {
      const client = await connect('tasks');
      let isOver = false;
      const over = (async () => {
        while (!isOver) {
          await client.query('BEGIN; LOCK TABLE idempotency_keys IN ACCESS EXCLUSIVE MODE');
          await delay(400);
          await client.query('COMMIT');
          await delay(20);
        }
        await client.end();
      })();
      return async () => {
        isOver = true;
        await over;
      };
    },
  },
];
