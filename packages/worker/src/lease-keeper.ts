import { isRefused, messageOf, retryAfterMsOf } from './answers.ts';
import type { Clock } from './clock.ts';
import type { AbortReason } from './errors.ts';
import type { Times } from './settings.ts';

/** A lease to keep. `endsAt` counts from the time at which the claim was sent; after `runUntil`, the lease is no longer extended. */
export type Lease = { token: string; endsAt: number; runUntil: number };

/** A notice about leases. `extended` is sent with the first heartbeat of a lease, and `ended` when the lease is over by our own clock. */
export type Notice =
  | { kind: 'extended'; token: string }
  | { kind: 'abort'; token: string; reason: AbortReason }
  | { kind: 'ended'; token: string }
  | { kind: 'failed'; message: string; retryInMs: number };

type Beat = { lease_token: string; progress?: unknown };
type Answer = { lease_token: string; outcome: string; lease_ms?: number; cancel_requested?: boolean };

type Held = Lease & {
  /** Progress as JSON that no heartbeat has sent yet. */
  progress: string | undefined;
  isExtended: boolean;
  isCancelled: boolean;
  /** Whether the lease was ever close to its end: its handler was then aborted, which cannot be undone. */
  wasNearEnd: boolean;
  /** Whether its handler has run for too long. */
  isOverdue: boolean;
};

/** A heartbeat may have 4 MiB. Progress beyond this limit is sent with the next heartbeat. */
const mostProgressBytes = 3 * 1024 * 1024;
/** The longest timer is a minute, because setTimeout cannot wait for a month. */
const longestTimerMs = 60_000;

type Ports = {
  send: (beats: Beat[]) => PromiseLike<readonly Answer[]>;
  notify: (notice: Notice) => void;
  clock: Clock;
  times: Pick<Times, 'leaseMs' | 'heartbeatMs' | 'marginMs' | 'progressMs' | 'heartbeatPauseMs'>;
};

/**
 * Extends leases, all in one request, and says when one is in danger. A lease counts from the time at which the request that extended it was sent. The
 * service counts from a later time, so a lease that is valid here is valid there.
 */
export class LeaseKeeper {
  readonly #ports: Ports;
  readonly #held = new Map<string, Held>();
  #isSending = false;
  #sentAt = -Infinity;
  #notBefore = -Infinity;
  #cancelTimer: () => void = () => undefined;

  constructor(ports: Ports) {
    this.#ports = ports;
  }

  hold(leases: readonly Lease[]): void {
    const state = { progress: undefined, isExtended: false, isCancelled: false, wasNearEnd: false, isOverdue: false };
    for (const lease of leases) this.#held.set(lease.token, { ...lease, ...state });
    this.#look();
  }

  progress(token: string, json: string): void {
    const lease = this.#held.get(token);
    if (lease === undefined) return;
    lease.progress = json;
    this.#look();
  }

  drop(token: string): void {
    this.#held.delete(token);
  }

  /** Runs the due actions, and sets the timer for the next one. */
  #look(): void {
    const now = this.#ports.clock.now();
    for (const lease of this.#held.values()) this.#check(lease, now);
    if (!this.#isSending && this.#dueAt() <= now) void this.#beat();
    this.#cancelTimer();
    const next = Math.min(
      this.#isSending ? Infinity : this.#dueAt(),
      ...[...this.#held.values()].map(nextCheck(this.#ports.times)),
    );
    if (next < Infinity) {
      this.#cancelTimer = this.#ports.clock.after(Math.min(longestTimerMs, Math.max(0, next - now)), () =>
        this.#look(),
      );
    }
  }

  #check(lease: Held, now: number): void {
    const { notify, times } = this.#ports;
    const { token } = lease;
    if (!lease.isOverdue && now >= lease.runUntil) {
      lease.isOverdue = true;
      notify({ kind: 'abort', token, reason: 'run_timeout' });
    }
    if (!lease.wasNearEnd && now >= lease.endsAt - times.marginMs) {
      lease.wasNearEnd = true;
      if (!lease.isOverdue) notify({ kind: 'abort', token, reason: 'unconfirmed' });
    }
    if (now < lease.endsAt) return;
    this.#held.delete(token);
    notify({ kind: 'ended', token });
  }

  /** When the next heartbeat is due: a third of the lease after the last one, or earlier with progress. */
  #dueAt(): number {
    const { leaseMs, heartbeatMs, progressMs } = this.#ports.times;
    const due = [...this.#held.values()]
      .filter(({ isOverdue }) => !isOverdue)
      .map(({ endsAt, progress }) =>
        Math.min(endsAt - leaseMs + heartbeatMs, progress === undefined ? Infinity : this.#sentAt + progressMs),
      );
    return Math.max(this.#notBefore, Math.min(...due));
  }

  async #beat(): Promise<void> {
    const { send, notify, clock, times } = this.#ports;
    this.#isSending = true;
    this.#sentAt = clock.now();
    const sentAt = this.#sentAt;
    const brought = new Map<string, string>();
    const beats = this.#beats(brought);
    try {
      for (const answer of await send(beats)) this.#apply(answer, sentAt);
      this.#notBefore = -Infinity;
    } catch (error) {
      // refused progress must not cost other jobs their leases
      const isProgressRefused = isRefused(error) && brought.size > 0;
      if (!isProgressRefused) this.#restore(brought);
      const jittered = times.heartbeatPauseMs * (0.5 + Math.random() / 2);
      const retryInMs = isProgressRefused
        ? 0
        : Math.max(jittered, Math.min(times.heartbeatMs, retryAfterMsOf(error) ?? 0));
      this.#notBefore = clock.now() + retryInMs;
      notify({ kind: 'failed', message: messageOf(error), retryInMs: Math.round(retryInMs) });
    }
    this.#isSending = false;
    this.#look();
  }

  #beats(brought: Map<string, string>): Beat[] {
    let bytes = 0;
    return [...this.#held.values()]
      .filter(({ isOverdue }) => !isOverdue)
      .map((lease) => {
        const { token, progress } = lease;
        if (progress === undefined || bytes + progress.length * 3 > mostProgressBytes) return { lease_token: token };
        // no character of UTF-16 takes more than three bytes of UTF-8
        bytes += progress.length * 3;
        lease.progress = undefined;
        brought.set(token, progress);
        return { lease_token: token, progress: JSON.parse(progress) as unknown };
      });
  }

  #restore(brought: ReadonlyMap<string, string>): void {
    for (const [token, progress] of brought) {
      const lease = this.#held.get(token);
      if (lease !== undefined) lease.progress ??= progress;
    }
  }

  #apply({ lease_token: token, outcome, lease_ms, cancel_requested }: Answer, sentAt: number): void {
    const { notify } = this.#ports;
    const lease = this.#held.get(token);
    if (lease === undefined) return;
    if (outcome === 'lease_lost') {
      this.#held.delete(token);
      notify({ kind: 'abort', token, reason: 'lease_lost' });
      return;
    }
    lease.endsAt = sentAt + (lease_ms ?? 0);
    if (!lease.isExtended) {
      lease.isExtended = true;
      notify({ kind: 'extended', token });
    }
    if (cancel_requested === true && !lease.isCancelled) {
      lease.isCancelled = true;
      notify({ kind: 'abort', token, reason: 'cancel_requested' });
    }
  }
}

/** The time at which a lease must be checked next. */
function nextCheck({ marginMs }: Pick<Times, 'marginMs'>): (lease: Held) => number {
  return ({ endsAt, runUntil, isOverdue, wasNearEnd }) =>
    Math.min(endsAt, isOverdue ? Infinity : runUntil, wasNearEnd ? Infinity : endsAt - marginMs);
}
