import { setTimeout as delay } from 'node:timers/promises';
import { errorText } from '@taskwire/errors';
import {
  backOffMs,
  createSteadiness,
  createWorkerPool,
  lease,
  startHeartbeat,
  type BackOff,
  type Heartbeat,
  type Loop,
} from '@taskwire/lifecycle';
import type { Logger } from '@taskwire/telemetry';
import type { Handoff, SendingChannel, AttemptResult } from './channel.ts';
import {
  superseded,
  type ClaimedDelivery,
  type DeliveryIds,
  type DeliveryLog,
  type RecordedAttempt,
} from './delivery-log.ts';
import { openHandoff } from './handoff.ts';
import type { Recheck } from './recheck.ts';

/**
 * The time limit for the preparation of an attempt before the handoff, in milliseconds: longer than the time-outs for looking up a user, a task or a
 * link.
 */
const prepareMs = 15_000;
/** Enough retries to record the result of a handoff even if the database is restarting. */
const recordTries = 8;
const recordBackOff: BackOff = { baseMs: 200, capMs: 5_000 };
/** RFC 5321 section 4.5.4.1: retries continue for at least 4 days. The first retries follow soon, later ones every half hour. */
const retryForMs = 4 * 24 * 3_600_000;
/** The upper bound for a delay requested by another service, whose clock or configuration may be wrong. */
const maxRequestedDelayMs = 600_000;
const retryBackOff: BackOff = { baseMs: 5_000, capMs: 30 * 60_000 };
/** The delay before an unknown delivery is sent once more. The delay gives the other side time to recover. */
const resendAfterMs = 60_000;
/** The interval at which a busy loop looks for deliveries whose process died: short enough for leases of ten seconds. */
const markLostEveryMs = 1_000;

/**
 * How long free slots wait for others, so that a claim takes several deliveries. They then proceed together, and share their later statements too. It is
 * a fraction of the duration of most SMTP sessions.
 */
const gatherMs = 10;

export type DeliveryTelemetry = {
  logger: Logger;
  /** Called once per attempt; `seconds` is the age of the delivery. */
  ended(channel: string, outcome: AttemptResult['kind'] | 'lease_lost', seconds: number): void;
  /** Runs an attempt in the trace, and with the id, of the request that caused the delivery. */
  inContextOf<T>(claimed: ClaimedDelivery, channel: string, attempt: () => Promise<T>): Promise<T>;
};

export type DeliveryLoopOptions = {
  log: DeliveryLog;
  channel: SendingChannel;
  /** Decides whether a delivery is still worth sending, and its current content. Called right before the handoff. */
  recheck: Recheck;
  /** The maximum number of concurrent attempts. */
  concurrency: number;
  /** The maximum time until a due delivery is noticed, in milliseconds. */
  intervalMs: number;
  telemetry: DeliveryTelemetry;
};

/**
 * The delivery loop of one channel. A separate loop per channel keeps a slow channel from delaying the others; a slow attempt occupies only its own
 * slot. While the channel is unavailable, the loop tries one delivery at a time, with growing pauses. Waiting deliveries never fail because of an
 * unavailable channel.
 */
export function deliveryLoop({ log, channel, recheck, concurrency, intervalMs, telemetry }: DeliveryLoopOptions): Loop {
  const { logger } = telemetry;
  const name = `${channel.name} delivery`;
  const steadiness = createSteadiness(lease.ms);
  let isUnavailable = false;
  let markedLostAt = -Infinity;
  const pool = createWorkerPool<ClaimedDelivery>({
    name,
    concurrency,
    claim: async (places) => await steadiness.during(async () => await claim(places)),
    async run(claimed, stopping) {
      const result = await telemetry.inContextOf(claimed, channel.name, () => deliverOne(claimed, stopping));
      // a skipped delivery never reached the channel, so it says nothing about the channel's availability, and is no reason to pause
      if (result.kind !== 'skipped') isUnavailable = result.kind === 'channel_unavailable';
      if (result.kind === 'channel_unavailable') throw new Error(`${channel.name} is unavailable`);
    },
    intervalMs,
    gatherMs,
    logger,
  });

  async function claim(places: number): Promise<ClaimedDelivery[]> {
    const isBusy = pool.running().length > 0;
    // while the channel is unavailable, only one delivery at a time is tried, even after a skipped one
    if (isUnavailable && isBusy) return [];
    const now = performance.now();
    // a busy pool claims at the end of each attempt, which is more often than necessary for expired leases
    if (steadiness.isSteady() && (!isBusy || now - markedLostAt >= markLostEveryMs)) {
      await markLost();
      markedLostAt = now;
    }
    return await log.claim(channel.name, isUnavailable ? 1 : places, lease.ms);
  }

  /** Marks deliveries whose process died during the handoff as unknown: they may or may not have arrived. */
  async function markLost(): Promise<void> {
    for (const lost of await log.markLost(channel.name, resendAfterMs))
      logger.warn('delivery attempt: lost, the outcome is unknown', {
        channel: channel.name,
        ...idsOf(lost),
        attempt: lost.attempt,
        request_id: lost.requestId,
        trace_id: lost.traceId,
      });
  }

  async function deliverOne(claimed: ClaimedDelivery, stopping: AbortSignal): Promise<AttemptResult> {
    const result = await attempt(claimed, stopping);
    const kept = await recordWithRetries(claimed, recordedAttempt(claimed, result));
    telemetry.ended(channel.name, kept ? result.kind : 'lease_lost', (Date.now() - claimed.createdAt) / 1000);
    logger.info(`delivery attempt: ${result.kind}`, {
      channel: channel.name,
      ...idsOf(claimed),
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
          ...idsOf(claimed),
          error: errorText(error),
        });
        await delay(backOffMs(tries, recordBackOff));
      }
    }
  }

  /** Renews the leases of running attempts. */
  async function renew(): Promise<void> {
    const running = pool.running();
    if (running.length > 0) await log.renew(running, lease.ms);
  }

  let heartbeat: Heartbeat | undefined;
  return {
    ...pool,
    async start() {
      heartbeat ??= startHeartbeat({ name, renew, logger });
      await pool.start();
    },
    async tick() {
      const beating = startHeartbeat({ name, renew, logger });
      try {
        return await pool.tick();
      } finally {
        beating.stop();
      }
    },
    async stop() {
      // running attempts keep their leases until their results are recorded
      await pool.stop();
      heartbeat?.stop();
      heartbeat = undefined;
    },
  };
}

/** The log fields of a delivery's ids. */
function idsOf({ id, notificationId, userId, taskId, eventId }: DeliveryIds): Record<string, string | null> {
  return { delivery_id: id, notification_id: notificationId, user_id: userId, task_id: taskId, message_id: eventId };
}

/** Returns the state of a delivery after the result of an attempt. `now` is in milliseconds since the epoch. */
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
      const nextAttemptInMs = asked ?? backOffMs(claimed.retries + 1, retryBackOff);
      return { ...end, state: mayHaveArrived ? 'unknown' : 'pending', nextAttemptInMs };
    }
  }
}
