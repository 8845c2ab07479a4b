import { createTelemetry } from '@taskwire/telemetry';
import { silent } from '@taskwire/testing';
import { expect } from 'chai';
import { Registry } from 'prom-client';
import { createAttemptRunner } from '../src/attempts.ts';
import { inboxLimits } from '../src/limits.ts';
import type { Message } from '../src/message.ts';
import { inboxMetrics } from '../src/metrics.ts';
import { done } from '../src/outcome.ts';

describe('The lag of a handled message', () => {
  /** Handles a message, and returns its lag in seconds; undefined if none was measured. */
  async function lagOf(given: Partial<Message>): Promise<number | undefined> {
    const metrics = inboxMetrics(new Registry());
    const { logger } = createTelemetry({ service: 'test', stream: silent() });
    const attempts = createAttemptRunner({
      runner: { run: async () => ({ outcome: done(), inContext: (fn) => fn() }), stop: () => undefined },
      ...{ limits: inboxLimits, metrics, logger },
    });
    const message = { type: 'tasks.task.created', headers: '{}', payload: Buffer.from(''), ...given } as Message;
    await attempts.attempt(
      {
        job: { message, handler: 'notify', orderKey: undefined, blocksWhenDead: false },
        attempts: { counted: 1, free: 0, pendingForMs: 0 },
        complete: async () => 'completed',
        retry: async () => undefined,
        deadLetter: async () => undefined,
      },
      { name: 'notify' } as never,
      {},
      new AbortController().signal,
    );
    const { values } = await metrics.lag.get();
    const of = (name: string) => values.find(({ metricName }) => metricName === `inbox_lag_seconds_${name}`)?.value;
    return of('count') === 1 ? of('sum') : undefined;
  }

  const secondsAgo = (seconds: number) => new Date(Date.now() - seconds * 1_000);
  const micros = (time: Date) => time.toISOString().replace('Z', '999Z');
  const transit = (createdAt: string | undefined) => ({ createdAt, publishedAt: undefined, consumedAt: 0 });
  const hour = 3_600;

  it('counts from the exact time of the event, not from the second in which it happened', async () => {
    const createdAt = micros(secondsAgo(hour));
    expect(await lagOf({ transit: transit(createdAt), sentAt: 0 })).to.be.within(hour - 0.01, hour + 30);
  });

  it('counts from the exact time of a message that was stored for another attempt', async () => {
    const headers = JSON.stringify({ created_at: micros(secondsAgo(hour)) });
    expect(await lagOf({ headers, sentAt: 0 })).to.be.within(hour - 0.01, hour + 30);
  });

  it('counts from the second in which the event happened if the message names no exact time', async () => {
    const sentAt = Math.floor(secondsAgo(hour).getTime() / 1_000);
    expect(await lagOf({ transit: transit(undefined), sentAt })).to.be.within(hour, hour + 31);
    expect(await lagOf({ headers: '{"created_at":"yesterday"}', sentAt })).to.be.within(hour, hour + 31);
  });

  it('is not measured without any time, and is never negative', async () => {
    expect(await lagOf({})).to.equal(undefined);
    expect(await lagOf({ transit: transit(micros(secondsAgo(-hour))) })).to.equal(0);
  });
});
