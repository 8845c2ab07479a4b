import { pauseMs } from '@taskwire/client';
import { isRefused, messageOf, retryAfterMsOf, type Ending, type JobsApi } from './answers.ts';
import type { Clock } from './clock.ts';
import type { Report } from './events.ts';
import type { Times } from './settings.ts';

/** The outcome of a settlement. */
export type Settled =
  | { kind: 'settled'; state: string }
  | { kind: 'lease_lost' }
  /** It was refused because of its content. */
  | { kind: 'refused'; error: unknown }
  /** No response arrived while one could matter. */
  | { kind: 'unanswered' };

type Entry = { token: string; ending: Ending; bytes: number; until: number; done: (settled: Settled) => void };

/** The maximum number of items of a request. */
const mostItems = 100;
/** A request may have 4 MiB. An item has at most 64 KiB of result, which always fits. */
const mostBytes = 3 * 1024 * 1024;

type Ports = {
  jobs: Pick<JobsApi, 'settle'>;
  clock: Clock;
  times: Pick<Times, 'requestMs' | 'pauses'>;
  report: Report;
};

/** Settles jobs, in batches: those that end during a request share the next one. A settlement is repeated until it gets a response. */
export class Settlements {
  readonly #ports: Ports;
  readonly #waiting = new Map<string, Entry>();
  #isSending = false;
  #isClosed = false;
  #failures = 0;
  #endPause: () => void = () => undefined;

  constructor(ports: Ports) {
    this.#ports = ports;
  }

  /** Resolves with the outcome. A repeated settlement gets the first response, so a lost response does no harm. */
  settle(token: string, ending: Ending): Promise<Settled> {
    const bytes = Buffer.byteLength(JSON.stringify(ending));
    return new Promise((done) => {
      this.#waiting.set(token, { token, ending, bytes, until: Infinity, done });
      if (this.#isClosed) this.#expire();
      else if (!this.#isSending) void this.#send();
    });
  }

  /** Repeats a settlement until this time at most: its lease has ended, so soon only `lease_lost` can be the response. */
  limit(token: string, until: number): void {
    const entry = this.#waiting.get(token);
    if (entry !== undefined) entry.until = Math.min(entry.until, until);
  }

  /** Ends all settlements that have no response, now and later. */
  close(): void {
    this.#isClosed = true;
    this.#endPause();
    this.#expire();
  }

  async #send(): Promise<void> {
    this.#isSending = true;
    try {
      while (this.#waiting.size > 0) {
        const batch = this.#next();
        const error = await this.#request(batch);
        if (error === undefined) continue;
        if (isRefused(error)) await this.#separate(batch, error);
        else await this.#pause(error);
        this.#expire();
      }
    } finally {
      this.#isSending = false;
    }
  }

  #next(): Entry[] {
    let bytes = 0;
    return [...this.#waiting.values()].slice(0, mostItems).filter((entry) => (bytes += entry.bytes) <= mostBytes);
  }

  /** Returns the error of a request without a usable response. */
  async #request(batch: readonly Entry[]): Promise<unknown> {
    const { jobs, times } = this.#ports;
    const items = batch.map(({ token, ending }) => ({ lease_token: token, ...ending }));
    try {
      const { data } = await jobs.settle({ items }, { timeoutMs: times.requestMs });
      this.#failures = 0;
      for (const answer of data) {
        const settled: Settled = 'state' in answer ? { kind: 'settled', state: answer.state } : { kind: 'lease_lost' };
        this.#finish(answer.lease_token, settled);
      }
      return batch.some(({ token }) => this.#waiting.has(token)) ? new Error('the response omits a lease') : undefined;
    } catch (error) {
      return error;
    }
  }

  /** One refused item causes its whole batch to be refused, so each item is sent separately. */
  async #separate(batch: readonly Entry[], cause: unknown): Promise<void> {
    const [first, ...others] = batch;
    if (first === undefined) return;
    if (others.length === 0) {
      this.#finish(first.token, { kind: 'refused', error: cause });
      return;
    }
    for (const entry of batch) {
      const error = await this.#request([entry]);
      if (isRefused(error)) this.#finish(entry.token, { kind: 'refused', error });
      else if (error !== undefined) await this.#pause(error);
    }
  }

  async #pause(error: unknown): Promise<void> {
    const { clock, times, report } = this.#ports;
    const retryInMs = pauseMs(this.#failures, retryAfterMsOf(error), times.pauses);
    this.#failures += 1;
    report({ event: 'request_failed', request: 'settle', message: messageOf(error), retryInMs: Math.round(retryInMs) });
    if (this.#isClosed) return;
    await new Promise<void>((resolve) => {
      const cancel = clock.after(retryInMs, resolve);
      this.#endPause = () => {
        cancel();
        resolve();
      };
    });
  }

  #expire(): void {
    const now = this.#ports.clock.now();
    for (const { token, until } of this.#waiting.values())
      if (this.#isClosed || until <= now) this.#finish(token, { kind: 'unanswered' });
  }

  #finish(token: string, settled: Settled): void {
    const entry = this.#waiting.get(token);
    this.#waiting.delete(token);
    entry?.done(settled);
  }
}
