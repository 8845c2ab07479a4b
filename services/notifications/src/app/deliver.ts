import { setTimeout as delay } from 'node:timers/promises';
import { errorText } from '@taskwire/errors';
import {
  createLoop,
  createSteadiness,
  backOffMs,
  lease,
  startHeartbeat,
  type BackOff,
  type Loop,
  type Progress,
} from '@taskwire/lifecycle';
import type { Logger } from '@taskwire/telemetry';
import type { Handoff, SendingChannel, AttemptResult } from './channel.ts';
import { superseded, type ClaimedDelivery, type DeliveryLog, type RecordedAttempt } from './delivery-log.ts';
import { openHandoff } from './handoff.ts';
import type { Recheck } from './recheck.ts';

/**
 * How long an attempt may prepare before the handoff: longer than the time-outs for looking up a user, a task or a
 * link.
 */
const prepareMs = 15_000;
/** Enough retries to record the result of a handoff when the database restarts in between. */
const recordTries = 8;
const recordBackOff: BackOff = { baseMs: 200, capMs: 5_000 };
/**
 * RFC 5321 section 4.5.4.1: retries continue for at least 4 days. The first follow soon, later ones every half hour.
 */
const retryForMs = 4 * 24 * 3_600_000;
/** The upper bound for a delay requested by another service, whose clock or configuration may be wrong. */
const maxRequestedDelayMs = 600_000;
const retryBackOff: BackOff = { baseMs: 5_000, capMs: 30 * 60_000 };
/** The delay before an unknown delivery is sent once more. It gives the other side time to recover. */
const resendAfterMs = 60_000;

export type DeliveryTelemetry = {
  logger: Logger;
  /** Called once per attempt; `seconds` is the age of the delivery. */
  ended(channel: string, outcome: AttemptResult['kind'] | 'lease_lost', seconds: number): void;
};

export type DeliveryLoopOptions = {
  log: DeliveryLog;
  channel: SendingChannel;
  /** Decides whether a delivery is still worth sending, and its current content. Called right before the handoff. */
  recheck: Recheck;
  /** The maximum number of concurrent attempts. */
  concurrency: number;
  /** The maximum time until a delivery is noticed, in milliseconds. */
  intervalMs: number;
  telemetry: DeliveryTelemetry;
};

/**
 * The delivery loop of one channel; separate loops keep a slow channel from delaying the others. While the channel is
 * unavailable, the loop tries one delivery at a time and backs off with its own growing pauses, which is why such a
 * round rejects. Waiting deliveries never fail because of that.
 */
export function deliveryLoop({ log, channel, recheck, concurrency, intervalMs, telemetry }: DeliveryLoopOptions): Loop {
  const { logger } = telemetry;
  const steadiness = createSteadiness(lease.ms);
  const held = new Set<ClaimedDelivery>();
  let isUnavailable = false;

  async function round(stopping: AbortSignal): Promise<Progress> {
    const limit = isUnavailable ? 1 : concurrency;
    const claimed = await steadiness.during(async () => {
      if (steadiness.isSteady()) await markLost();
      return await log.claim(channel.name, limit, lease.ms);
    });
    const ends = await Promise.allSettled(
      claimed.map((one) => holding(one, async () => await deliverOne(one, stopping))),
    );
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    // nothing was tried, so the last known availability still holds
    if (claimed.length === 0) return 'idle';
    // skipped deliveries never reached the channel: they say nothing about its availability and are no reason to pause
    const tried = ends.flatMap((end) =>
      end.status === 'fulfilled' && end.value.kind !== 'skipped' ? [end.value.kind] : [],
    );
    if (tried.length > 0) isUnavailable = tried.includes('channel_unavailable');
    if (tried.includes('channel_unavailable')) throw new Error(`${channel.name} is unavailable`);
    return claimed.length === limit ? 'more' : 'idle';
  }

  /** Marks deliveries as unknown whose process died during the handoff: they may or may not have arrived. */
  async function markLost(): Promise<void> {
    const lost = await log.markLost(channel.name, resendAfterMs);
    if (lost > 0) logger.warn('deliveries have an unknown outcome', { channel: channel.name, count: lost });
  }

  async function holding<T>(claimed: ClaimedDelivery, work: () => Promise<T>): Promise<T> {
    held.add(claimed);
    try {
      return await work();
    } finally {
      held.delete(claimed);
    }
  }

  async function deliverOne(claimed: ClaimedDelivery, stopping: AbortSignal): Promise<AttemptResult> {
    const result = await attempt(claimed, stopping);
    const kept = await recordWithRetries(claimed, recordedAttempt(claimed, result));
    telemetry.ended(channel.name, kept ? result.kind : 'lease_lost', (Date.now() - claimed.createdAt) / 1000);
    logger.info(`delivery attempt: ${result.kind}`, {
      channel: channel.name,
      delivery_id: claimed.id,
      notification_id: claimed.notificationId,
      user_id: claimed.userId,
      attempt: claimed.attempt,
      detail: result.detail,
    });
    return result;
  }

  async function attempt(claimed: ClaimedDelivery, stopping: AbortSignal): Promise<AttemptResult> {
    const handoff = openHandoff(() => log.beginSending(claimed, lease.ms), prepareMs, stopping);
    try {
      const result = await deliverUnlessObsolete(claimed, handoff);
      const interrupted = stopping.aborted && !handoff.begun() && result.kind === 'channel_unavailable';
      return interrupted ? { kind: 'retry', detail: 'the process stopped', afterMs: 0 } : result;
    } catch (error) {
      return { kind: handoff.begun() ? 'unknown' : 'retry', detail: errorText(error) };
    } finally {
      handoff.close();
    }
  }

  async function deliverUnlessObsolete(claimed: ClaimedDelivery, handoff: Handoff): Promise<AttemptResult> {
    if (claimed.isSuperseded) return { kind: 'skipped', detail: superseded };
    const checked = await recheck(claimed, handoff.signal);
    const result: AttemptResult =
      checked.kind === 'obsolete'
        ? { kind: 'skipped', detail: checked.reason }
        : await channel.deliver({ ...claimed, templateData: checked.templateData }, handoff);
    if (checked.uncertainty === null) return result;
    return {
      ...result,
      detail: `${result.detail} (decided by the last known state of the task: ${checked.uncertainty})`,
    };
  }

  async function recordWithRetries(claimed: ClaimedDelivery, recorded: RecordedAttempt): Promise<boolean> {
    for (let tries = 1; ; tries++) {
      try {
        return await log.record(claimed, recorded);
      } catch (error) {
        if (tries === recordTries) throw error;
        logger.warn('could not record an attempt, will retry', {
          delivery_id: claimed.id,
          error: errorText(error),
        });
        await delay(backOffMs(tries, recordBackOff));
      }
    }
  }

  const name = `${channel.name} delivery`;
  /** Renews the leases of this round for as long as it runs. */
  async function beating<T>(work: () => Promise<T>): Promise<T> {
    const renew = async (): Promise<void> => void (held.size > 0 && (await log.renew([...held], lease.ms)));
    const heartbeat = startHeartbeat({ name, renew, logger });
    try {
      return await work();
    } finally {
      heartbeat.stop();
    }
  }

  return createLoop({
    name,
    tick: async (stopping) => await beating(async () => await round(stopping)),
    intervalMs,
    logger,
  });
}

/** Decides what the result of an attempt means for its delivery. `now` is in milliseconds since the epoch. */
export function recordedAttempt(claimed: ClaimedDelivery, result: AttemptResult, now = Date.now()): RecordedAttempt {
  const end = { outcome: result.kind, detail: result.detail };
  // once an attempt may have been delivered, the delivery stays `unknown` until a later attempt is confirmed as sent
  const mayHaveArrived = claimed.unknownOutcomes > 0;
  switch (result.kind) {
    case 'sent':
      return { ...end, state: 'sent', nextAttemptInMs: null };
    case 'refused':
      return { ...end, state: mayHaveArrived ? 'unknown' : 'failed', nextAttemptInMs: null };
    case 'skipped':
      return { ...end, state: mayHaveArrived ? 'unknown' : 'skipped', nextAttemptInMs: null };
    case 'unknown': {
      const resends = !mayHaveArrived && claimed.deliveryPolicy === 'resend_once';
      return { ...end, state: 'unknown', nextAttemptInMs: resends ? resendAfterMs : null };
    }
    case 'channel_unavailable':
      return { ...end, state: mayHaveArrived ? 'unknown' : 'pending', nextAttemptInMs: 0 };
    case 'retry': {
      if (now - claimed.createdAt > retryForMs) {
        return { ...end, state: mayHaveArrived ? 'unknown' : 'failed', nextAttemptInMs: null };
      }
      const asked = result.afterMs === undefined ? undefined : Math.min(result.afterMs, maxRequestedDelayMs);
      const nextAttemptInMs = asked ?? backOffMs(claimed.attempt, retryBackOff);
      return { ...end, state: mayHaveArrived ? 'unknown' : 'pending', nextAttemptInMs };
    }
  }
}
