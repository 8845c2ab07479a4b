import { randomUUID } from 'node:crypto';
import { pauseMs } from '@taskwire/client';
import { isMisconfigured, messageOf, retryAfterMsOf, type ClaimedJob, type JobsApi } from './answers.ts';
import type { Clock } from './clock.ts';
import type { Report } from './events.ts';
import type { Settings } from './settings.ts';

type Body = Parameters<JobsApi['claim']>[0];

/** The maximum number of jobs in a claim. */
const mostJobs = 100;
/** The gateway and the service need time in addition to the wait, and a response may have 4 MiB. */
const besideWaitMs = 10_000;
/** A service that is about to stop responds at once, without jobs. */
const shortWait = 0.5;

type Ports = {
  jobs: Pick<JobsApi, 'claim'>;
  settings: Settings;
  clock: Clock;
  report: Report;
  /** The number of jobs that may be claimed now. */
  free: () => number;
  /** Resolves when that number may have changed. */
  changed: () => Promise<void>;
  accept: (jobs: readonly ClaimedJob[], sentAt: number) => void;
};

/** Claims jobs whenever there is room for them, one claim at a time. */
export class Claims {
  readonly #ports: Ports;
  readonly #stopping = new AbortController();
  /** The claim that has no response yet. */
  #open: Body | undefined;
  #hadAnswer = false;

  constructor(ports: Ports) {
    this.#ports = ports;
  }

  /** Claims until `stop()`. Rejects if the first claims are refused for the worker's credentials or queues. */
  async run(): Promise<void> {
    const { free, changed } = this.#ports;
    while (!this.#stopping.signal.aborted) {
      const limit = Math.min(mostJobs, free());
      if (limit <= 0) await changed();
      else await this.#claim(limit);
    }
  }

  stop(): void {
    this.#stopping.abort();
  }

  /**
   * The jobs of a claim that `stop()` interrupted. The service may have leased them already, and repeating the claim gets them. If it has not, the
   * repeated claim gets one job at most.
   */
  async interrupted(): Promise<ClaimedJob[]> {
    const { jobs, settings } = this.#ports;
    if (this.#open === undefined) return [];
    const timeoutMs = settings.times.requestMs;
    return await jobs.claim({ ...this.#open, limit: 1, wait: 0 }, { timeoutMs }).then(
      ({ data }) => data,
      () => [],
    );
  }

  /** One claim, repeated with the same id until it gets a response: a lost response costs no lease. */
  async #claim(limit: number): Promise<void> {
    const { jobs, settings, clock, report, accept } = this.#ports;
    const { queues, leaseSeconds, name, times } = settings;
    const { signal } = this.#stopping;
    const body: Body = {
      ...{ claim_id: randomUUID(), queues, limit, lease_seconds: leaseSeconds },
      ...{ wait: times.waitMs / 1_000, worker: name },
    };
    this.#open = body;
    for (let failures = 0; ; failures++) {
      const sentAt = clock.now();
      try {
        const { data } = await jobs.claim(body, { signal, timeoutMs: times.waitMs + besideWaitMs });
        this.#hadAnswer = true;
        this.#open = undefined;
        if (data.length > 0) accept(data, sentAt);
        else if (clock.now() - sentAt < times.waitMs * shortWait)
          await this.#pause(pauseMs(1, undefined, times.pauses));
        return;
      } catch (error) {
        if (signal.aborted) return;
        // after the start, retry: an operator may be repairing the registration while jobs run
        if (!this.#hadAnswer && isMisconfigured(error)) {
          this.#open = undefined;
          throw error;
        }
        const retryInMs = pauseMs(failures, retryAfterMsOf(error), times.pauses);
        report({
          event: 'request_failed',
          request: 'claim',
          message: messageOf(error),
          retryInMs: Math.round(retryInMs),
        });
        await this.#pause(retryInMs);
        if (signal.aborted) return;
      }
    }
  }

  async #pause(ms: number): Promise<void> {
    const { signal } = this.#stopping;
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const end = () => {
        cancel();
        signal.removeEventListener('abort', end);
        resolve();
      };
      const cancel = this.#ports.clock.after(ms, end);
      signal.addEventListener('abort', end);
    });
  }
}
