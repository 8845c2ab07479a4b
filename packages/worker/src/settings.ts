import { hostname } from 'node:os';
import type { Pauses } from '@taskwire/client';
import type { WorkerOptions } from './options.ts';

/** The times of a worker, in milliseconds. */
export type Times = {
  leaseMs: number;
  /** The time between two heartbeats. */
  heartbeatMs: number;
  /** The signal is aborted this long before the end of an unconfirmed lease, so a handler has this time to end. */
  marginMs: number;
  /** The time for which a claim waits for a job. */
  waitMs: number;
  /** The time limit of a heartbeat or settlement. */
  requestMs: number;
  /** Progress makes a heartbeat early, but not earlier than this after the previous one. */
  progressMs: number;
  /** The pause before a failed heartbeat is repeated. */
  heartbeatPauseMs: number;
  pauses: Pauses;
  maxRunMs: number;
  graceMs: number;
  /** The times after the grace period: for aborted handlers to end, and then for the last settlements. */
  abortMs: number;
  flushMs: number;
};

/** Validated options with defaults. */
export type Settings = {
  url: string;
  queues: string[];
  concurrency: number;
  leaseSeconds: number;
  name: string;
  times: Times;
};

/** Longer than a restart of Tasks, and the longest wait of a job whose worker has died. */
const usualLeaseSeconds = 30;
/** A handler that takes more than an hour has usually hung. */
const usualMaxRunSeconds = 3_600;
/** Kubernetes kills a container 30 s after SIGTERM: this leaves time to abort handlers and to send the last settlements. */
const usualGraceSeconds = 20;
/** One heartbeat extends a thousand leases. */
const mostConcurrency = 1_000;

/** @throws RangeError for a number that is out of range; TypeError for an option that is missing. */
export function settingsOf(options: Omit<WorkerOptions<never>, 'handler'>): Settings {
  const { url, queues, name = `${hostname()}:${process.pid}` } = options;
  if (typeof url !== 'string' || url === '') throw new TypeError('url must be the address of Taskwire');
  if (queues.length < 1 || queues.length > 20) throw new RangeError('queues must name 1 to 20 queues');
  const concurrency = whole('concurrency', options.concurrency ?? 1, [1, mostConcurrency]);
  const leaseSeconds = whole('leaseSeconds', options.leaseSeconds ?? usualLeaseSeconds, [15, 3_600]);
  const maxRunSeconds = whole('maxRunSeconds', options.maxRunSeconds ?? usualMaxRunSeconds, [1, 30 * 86_400]);
  const graceSeconds = whole('graceSeconds', options.graceSeconds ?? usualGraceSeconds, [0, 86_400]);
  const times = timesOf({
    leaseMs: leaseSeconds * 1_000,
    maxRunMs: maxRunSeconds * 1_000,
    graceMs: graceSeconds * 1_000,
  });
  return {
    url: url.replace(/\/+$/, ''),
    queues: [...queues],
    concurrency,
    leaseSeconds,
    name: name.slice(0, 100),
    times,
  };
}

function whole(name: string, value: number, [least, most]: readonly [number, number]): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new RangeError(`${name} must be a whole number from ${least} to ${most}, not ${value}`);
}

export function timesOf({ leaseMs, maxRunMs, graceMs }: Pick<Times, 'leaseMs' | 'maxRunMs' | 'graceMs'>): Times {
  return {
    leaseMs,
    // two more heartbeats may be lost before the lease ends
    heartbeatMs: leaseMs / 3,
    marginMs: Math.max(2_000, leaseMs / 6),
    // the lease counts from the request: with a longer wait, a job that arrives at its end would have less than two thirds left. 20 s pass any proxy
    waitMs: Math.min(20_000, leaseMs / 3),
    // a dead connection leaves time for two more attempts; a long lease does not slow responses down
    requestMs: Math.min(10_000, Math.max(2_000, leaseMs / 6)),
    // users watch progress, but more frequent progress would cost the database more than the lease itself
    progressMs: 2_000,
    heartbeatPauseMs: Math.min(2_000, leaseMs / 12),
    // as in the client; after 8 s, a longer pause would only keep jobs waiting
    pauses: { firstMs: 500, longestMs: 8_000 },
    maxRunMs,
    graceMs,
    abortMs: 2_000,
    flushMs: 5_000,
  };
}
