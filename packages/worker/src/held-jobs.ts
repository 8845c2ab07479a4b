import { messageOf, type ClaimedJob, type Ending } from './answers.ts';
import type { Clock } from './clock.ts';
import { endingOfError, endingOfResult, failure, jsonOf } from './endings.ts';
import { JobAborted, type AbortReason } from './errors.ts';
import type { Report } from './events.ts';
import type { Heartbeats } from './heartbeats.ts';
import type { Notice } from './lease-keeper.ts';
import type { Handler } from './options.ts';
import type { Settings } from './settings.ts';
import type { Settlements } from './settlements.ts';

/** `unconfirmed`: its handler waits for the first heartbeat. `settling`: its handler has ended, or no longer matters. */
type Phase = 'unconfirmed' | 'running' | 'settling';

type Held = {
  job: ClaimedJob;
  phase: Phase;
  control: AbortController;
  aborted: AbortReason | undefined;
  startedAt: number;
  error?: unknown;
};

type Ports = {
  settings: Pick<Settings, 'concurrency' | 'times'>;
  handler: Handler<never>;
  heartbeats: Pick<Heartbeats, 'hold' | 'progress' | 'drop'>;
  settlements: Settlements;
  clock: Clock;
  report: Report;
  /** Called when a job has left. */
  changed: () => void;
};

/** The jobs whose leases this worker holds: at most `concurrency`. */
export class HeldJobs {
  readonly #ports: Ports;
  readonly #held = new Map<string, Held>();
  /** Handlers that still run although their leases have ended. */
  #abandoned = 0;

  constructor(ports: Ports) {
    this.#ports = ports;
  }

  get size(): number {
    return this.#held.size;
  }

  /** The number of jobs that may be claimed. */
  get free(): number {
    const { concurrency } = this.#ports.settings;
    return this.#abandoned >= concurrency ? 0 : concurrency - this.#held.size;
  }

  /** Holds the jobs of a claim that was sent at this time. */
  accept(jobs: readonly ClaimedJob[], sentAt: number): void {
    const { settings, heartbeats, clock } = this.#ports;
    const runUntil = clock.now() + settings.times.maxRunMs;
    const accepted = jobs.map((job): Held => {
      const state = { control: new AbortController(), aborted: undefined, startedAt: 0 };
      const held: Held = { job, phase: 'unconfirmed', ...state };
      this.#held.set(job.lease_token, held);
      return held;
    });
    heartbeats.hold(jobs.map(({ lease_token: token, lease_ms }) => ({ token, endsAt: sentAt + lease_ms, runUntil })));
    for (const held of accepted) {
      const leftMs = sentAt + held.job.lease_ms - clock.now();
      // the response to a repeated claim may contain a lease that is nearly over: its handler starts when a heartbeat has extended it
      if (leftMs > settings.times.leaseMs / 2) void this.#run(held);
    }
  }

  /** Acts on a message from the heartbeat thread. */
  notice(notice: Exclude<Notice, { kind: 'failed' }>): void {
    const held = this.#held.get(notice.token);
    if (held === undefined) return;
    switch (notice.kind) {
      case 'extended':
        if (held.phase === 'unconfirmed') void this.#run(held);
        break;
      case 'abort':
        this.#abort(held, notice.reason);
        break;
      case 'ended':
        this.#end(held);
        break;
    }
  }

  /** Aborts the handlers that run. */
  abortAll(): void {
    for (const held of this.#held.values()) this.#abort(held, 'stopping');
  }

  /** Returns jobs to their queues: those that have not started, or all whose handlers have not ended. */
  release(which: 'unconfirmed' | 'unfinished'): void {
    for (const held of this.#held.values()) {
      if (held.phase === 'unconfirmed') void this.#settle(held, { release: true });
      else if (held.phase === 'running' && which === 'unfinished') {
        this.#abandon(held);
        void this.#settle(held, { release: true });
      }
    }
  }

  #abort(held: Held, reason: AbortReason): void {
    const { clock, settings, settlements, report } = this.#ports;
    const { lease_token: token, id: jobId } = held.job;
    const { marginMs, leaseMs } = settings.times;
    if (held.phase === 'settling') {
      // our own settlement may have ended the lease, and its response may still arrive
      if (reason === 'lease_lost') settlements.limit(token, clock.now() + leaseMs);
      return;
    }
    if (held.phase === 'unconfirmed') {
      if (reason === 'lease_lost') this.#drop(held, 'lease_lost');
      else void this.#settle(held, { release: true });
      return;
    }
    // a lost lease overrides earlier messages
    if (held.aborted !== undefined && reason !== 'lease_lost') return;
    held.aborted = reason;
    report({ event: 'job_aborted', jobId, reason });
    held.control.abort(new JobAborted(reason));
    if (reason === 'lease_lost') clock.after(marginMs, () => this.#end(held));
  }

  /** The lease is over. */
  #end(held: Held): void {
    const { clock, settings, settlements, report } = this.#ports;
    const { lease_token: token } = held.job;
    if (this.#held.get(token) !== held) return;
    // a service that was down for a while keeps leases for another period, and accepts late settlements
    if (held.phase === 'settling') settlements.limit(token, clock.now() + settings.times.leaseMs);
    else if (held.phase === 'unconfirmed') this.#drop(held, 'lease_lost');
    else {
      this.#abandon(held);
      this.#leave(held);
      if (this.#abandoned >= settings.concurrency) report({ event: 'stalled', abandoned: this.#abandoned });
    }
  }

  #abandon(held: Held): void {
    held.phase = 'settling';
    this.#abandoned += 1;
    this.#ports.report({ event: 'job_abandoned', jobId: held.job.id });
  }

  async #run(held: Held): Promise<void> {
    const { handler, clock, report } = this.#ports;
    const { id, queue, kind, attempt } = held.job;
    held.phase = 'running';
    held.startedAt = clock.now();
    report({ event: 'job_started', jobId: id, queue, kind, attempt });
    const ending = await this.#handle(held, handler as Handler);
    if (held.phase !== 'running') {
      this.#abandoned -= 1;
      this.#ports.changed();
      return;
    }
    if (held.aborted === 'lease_lost') this.#drop(held, 'lease_lost');
    else await this.#settle(held, ending);
  }

  async #handle(held: Held, handler: Handler): Promise<Ending> {
    const { heartbeats } = this.#ports;
    const { id, queue, kind, payload, attempt, deadline, fence, lease_token: token } = held.job;
    const progress = (value: unknown) => {
      const json = jsonOf('progress', value);
      if (held.phase === 'running') heartbeats.progress(token, json);
    };
    try {
      const job = { id, queue, kind, payload, attempt, deadline };
      return endingOfResult(await handler(job, { signal: held.control.signal, fence, progress }));
    } catch (error) {
      held.error = error;
      return endingOfError(error, held.aborted);
    }
  }

  async #settle(held: Held, ending: Ending): Promise<void> {
    const { settlements, clock, report } = this.#ports;
    const { lease_token: token, id: jobId } = held.job;
    held.phase = 'settling';
    const runMs = held.startedAt === 0 ? 0 : Math.round(clock.now() - held.startedAt);
    const settled = await settlements.settle(token, ending);
    switch (settled.kind) {
      case 'settled': {
        const ended = 'complete' in ending ? 'completed' : 'fail' in ending ? 'failed' : 'released';
        const failed = 'fail' in ending ? { code: ending.fail.code, message: ending.fail.message } : {};
        const { state } = settled;
        report({ event: 'job_settled', jobId, ending: ended, state, runMs, ...reported(held.error), ...failed });
        this.#leave(held);
        break;
      }
      case 'lease_lost':
      case 'unanswered':
        this.#drop(held, settled.kind);
        break;
      case 'refused': {
        // a result that is refused fails the job; a failure that is refused lets the lease end
        if (!('complete' in ending)) return this.#drop(held, 'refused', settled.error);
        held.error = settled.error;
        const message = settled.error instanceof Error ? settled.error.message : 'The result was refused.';
        await this.#settle(held, failure({ code: 'invalid_result', message, final: true }));
        break;
      }
    }
  }

  #drop(held: Held, reason: 'lease_lost' | 'unanswered' | 'refused', error: unknown = held.error): void {
    this.#ports.report({
      ...{ event: 'job_dropped', jobId: held.job.id, reason },
      ...reported(error),
    });
    this.#leave(held);
  }

  #leave(held: Held): void {
    const { heartbeats, changed } = this.#ports;
    const { lease_token: token } = held.job;
    if (this.#held.get(token) !== held) return;
    this.#held.delete(token);
    heartbeats.drop(token);
    changed();
  }
}

/** The fields of an event that say what went wrong. */
function reported(error: unknown): { message?: string; error?: unknown } {
  return error === undefined ? {} : { message: messageOf(error), error };
}
