import { Taskwire } from '@taskwire/client';
import { messageOf } from './answers.ts';
import { Claims } from './claims.ts';
import { systemClock as clock } from './clock.ts';
import type { WorkerEvent } from './events.ts';
import { HeldJobs } from './held-jobs.ts';
import { Heartbeats } from './heartbeats.ts';
import type { Notice } from './lease-keeper.ts';
import type { StopSignal, Worker, WorkerOptions } from './options.ts';
import { settingsOf, type Settings } from './settings.ts';
import { Settlements } from './settlements.ts';
import { authorizationOf, sendableCredentials } from './tokens.ts';

/**
 * Makes a worker, which starts with `run()`.
 *
 * @throws RangeError or TypeError for an option that is out of range or missing.
 */
export function createWorker<Payload = unknown>(options: WorkerOptions<Payload>): Worker {
  return workerWith(options, settingsOf(options));
}

/** A worker whose settings may exceed the limits of the options, for tests. */
export function workerWith<Payload>(options: WorkerOptions<Payload>, settings: Settings): Worker {
  let running: RunningWorker | undefined;
  let isStopped = false;
  return {
    async run() {
      if (running !== undefined) throw new Error('the worker has been started before');
      if (isStopped) return;
      running = new RunningWorker(options, settings);
      await running.ended;
    },
    async stop() {
      isStopped = true;
      running?.stop('patiently');
      // run() reports the cause
      await running?.ended.catch(() => undefined);
    },
  };
}

class RunningWorker {
  /** Settles when everything has ended. */
  readonly ended: Promise<void>;
  readonly #settings: Settings;
  readonly #heartbeats: Heartbeats;
  readonly #settlements: Settlements;
  readonly #held: HeldJobs;
  readonly #claims: Claims;
  readonly #onEvent: (event: WorkerEvent) => void;
  readonly #signals: readonly StopSignal[];
  readonly #onSignal = (signal: NodeJS.Signals) => this.#signalled(signal);
  #signal: NodeJS.Signals | undefined;
  #hurry: () => void = () => undefined;
  #isHurried = false;
  #crash: { error: unknown } | undefined;
  #wake: (() => void)[] = [];

  constructor(options: WorkerOptions<never>, settings: Settings) {
    const { onEvent = () => undefined, auth, handler, signals = ['SIGTERM', 'SIGINT'] } = options;
    this.#settings = settings;
    this.#onEvent = onEvent;
    this.#signals = signals;
    const report = (event: WorkerEvent) => this.#report(event);
    const authorization = authorizationOf(auth);
    // the worker repeats requests itself, because it needs the time at which each was sent
    const { jobs } = new Taskwire({ baseUrl: settings.url, auth: authorization, maxRetries: 0 });
    this.#heartbeats = new Heartbeats({
      data: { url: settings.url, credentials: sendableCredentials(auth), times: settings.times },
      authorization,
      notify: (notice) => this.#notice(notice),
      crashed: (error) => {
        this.#crash ??= { error };
        this.stop('at once');
      },
    });
    this.#settlements = new Settlements({ jobs, clock, times: settings.times, report });
    this.#held = new HeldJobs({
      ...{ settings, handler, heartbeats: this.#heartbeats, settlements: this.#settlements, clock, report },
      changed: () => this.#changed(),
    });
    this.#claims = new Claims({
      ...{ jobs, settings, clock, report },
      free: () => this.#held.free,
      changed: async () => await this.#nextChange(),
      accept: (claimed, sentAt) => this.#held.accept(claimed, sentAt),
    });
    for (const signal of signals) process.on(signal, this.#onSignal);
    this.ended = this.#run();
  }

  /** `at once`: without the grace period. */
  stop(how: 'patiently' | 'at once'): void {
    if (how === 'at once') {
      this.#isHurried = true;
      this.#hurry();
    }
    this.#claims.stop();
    this.#changed();
  }

  async #run(): Promise<void> {
    await this.#heartbeats.ready;
    const failure = await this.#claims.run().then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    this.#report({ event: 'stopping', jobs: this.#held.size });
    await this.#drain();
    await this.#heartbeats.stop();
    for (const signal of this.#signals) process.removeListener(signal, this.#onSignal);
    this.#report({ event: 'stopped' });
    const wrong = failure ?? this.#crash;
    if (wrong !== undefined) throw wrong.error;
    this.#raise();
  }

  /** Waits for running jobs, then aborts and releases the rest. */
  async #drain(): Promise<void> {
    const { graceMs, abortMs, flushMs } = this.#settings.times;
    const interrupted = this.#claims.interrupted().then(async (claimed) => {
      await Promise.all(claimed.map((job) => this.#settlements.settle(job.lease_token, { release: true })));
    });
    this.#held.release('unconfirmed');
    await this.#emptied(graceMs);
    this.#held.abortAll();
    // a second signal ends the grace period, but not the time for aborted handlers to end
    this.#isHurried = false;
    await this.#emptied(abortMs);
    this.#held.release('unfinished');
    const closing = clock.after(flushMs, () => this.#settlements.close());
    await Promise.all([interrupted, this.#emptied(flushMs)]);
    closing();
  }

  /** Resolves when no job is held, when the time is up, or when the stop becomes urgent. */
  async #emptied(ms: number): Promise<void> {
    let isOver = this.#isHurried;
    const end = () => {
      isOver = true;
      this.#changed();
    };
    this.#hurry = end;
    const cancel = clock.after(ms, end);
    while (this.#held.size > 0 && !isOver) await this.#nextChange();
    cancel();
  }

  #notice(notice: Notice): void {
    if (notice.kind === 'failed') {
      const { message, retryInMs } = notice;
      this.#report({ event: 'request_failed', request: 'heartbeat', message, retryInMs });
    } else this.#held.notice(notice);
  }

  #nextChange(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #changed(): void {
    for (const resolve of this.#wake.splice(0)) resolve();
  }

  /** The first signal stops the worker, and a second one ends the grace period. */
  #signalled(signal: NodeJS.Signals): void {
    this.stop(this.#signal === undefined ? 'patiently' : 'at once');
    this.#signal = signal;
  }

  /** Ends the process as the signal would have, unless something else handles the signal too. */
  #raise(): void {
    if (this.#signal !== undefined && process.listenerCount(this.#signal) === 0)
      process.kill(process.pid, this.#signal);
  }

  #report(event: WorkerEvent): void {
    try {
      this.#onEvent(event);
    } catch (error) {
      // a fault in logging must not end jobs
      process.emitWarning(`onEvent failed: ${messageOf(error)}`);
    }
  }
}
