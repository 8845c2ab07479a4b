import { Worker as Thread } from 'node:worker_threads';
import type { Authorization } from '@taskwire/client';
import type { Lease, Notice } from './lease-keeper.ts';
import type { ClientCredentials } from './options.ts';
import type { Times } from './settings.ts';

export type ThreadData = {
  url: string;
  /** Undefined if the thread gets tokens from the main thread. */
  credentials: (ClientCredentials & { credential: string }) | undefined;
  times: Times;
};
export type ToThread =
  | { kind: 'hold'; leases: readonly Lease[] }
  | { kind: 'progress'; token: string; json: string }
  | { kind: 'drop'; token: string }
  | { kind: 'token'; token: string };
export type FromThread = Notice | { kind: 'ready' } | { kind: 'token_rejected' };

/** Tokens live for minutes, and the thread gets a new one a few seconds after it was renewed. Requesting the current token costs next to nothing. */
const tokenEveryMs = 5_000;

type Ports = {
  data: ThreadData;
  /** The source of the thread's tokens if it has no credentials. */
  authorization: Authorization;
  notify: (notice: Notice) => void;
  /** Called if the thread ends with an error: from then on, no lease is extended. */
  crashed: (error: unknown) => void;
};

/** The thread that sends heartbeats, as the main thread sees it. */
export class Heartbeats {
  /** Resolves when the thread can extend leases, or has ended: it takes a moment to load its code. */
  readonly ready: Promise<void>;
  readonly #thread: Thread;
  readonly #authorization: Authorization;
  readonly #tokenTimer: ReturnType<typeof setInterval> | undefined;
  #handed: string | undefined;
  #isStopped = false;

  constructor({ data, authorization, notify, crashed }: Ports) {
    this.#authorization = authorization;
    // the published form is compiled
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    this.#thread = new Thread(new URL(`./heartbeat-thread.${extension}`, import.meta.url), { workerData: data });
    this.ready = new Promise((resolve) => {
      this.#thread.on('exit', () => resolve());
      this.#thread.on('message', (message: FromThread) => {
        if (message.kind === 'ready') resolve();
        else if (message.kind === 'token_rejected') void this.#handToken(this.#handed);
        else notify(message);
      });
    });
    this.#thread.on('error', crashed);
    this.#thread.on('exit', (code) => {
      if (!this.#isStopped) crashed(new Error(`the thread that sends heartbeats ended with the code ${code}`));
    });
    if (data.credentials !== undefined) return;
    void this.#handToken(undefined);
    this.#tokenTimer = setInterval(() => void this.#handToken(undefined), tokenEveryMs);
  }

  hold(leases: readonly Lease[]): void {
    this.#post({ kind: 'hold', leases });
  }

  progress(token: string, json: string): void {
    this.#post({ kind: 'progress', token, json });
  }

  drop(token: string): void {
    this.#post({ kind: 'drop', token });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#tokenTimer);
    await this.#thread.terminate();
  }

  #post(message: ToThread): void {
    this.#thread.postMessage(message);
  }

  /** A token that cannot be obtained now is requested again by the timer. */
  async #handToken(rejected: string | undefined): Promise<void> {
    const token = await this.#authorization.accessToken(rejected).catch(() => undefined);
    if (token === undefined || this.#isStopped || (token === this.#handed && rejected === undefined)) return;
    this.#handed = token;
    this.#post({ kind: 'token', token });
  }
}
