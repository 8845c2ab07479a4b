import { errorText } from '@taskwire/errors';
import { injectTrace, logContext, withSpan, type Telemetry } from '@taskwire/telemetry';
import { Pool } from 'undici';
import type { z } from 'zod';
import { unavailable, type Answer, type Unavailable } from './answer.ts';
import { createBreaker, type Admission } from './breaker.ts';
import { createConcurrencyLimit } from './concurrency-limit.ts';
import { startDeadline, type Deadline } from './deadline.ts';
import { createClientMetrics } from './metrics.ts';
import { read, sendGet, type Reading } from './reading.ts';
import { backOffMs, createRetryBudget } from './retry.ts';
import { TokenUnavailable, type TokenSource } from './tokens.ts';
import { defaultTuning, type ServiceClientTuning } from './tuning.ts';

export type ServiceClientOptions = {
  /** The service that is called, as logs and metrics name it, such as `auth`. */
  name: string;
  /** Where its internal REST API is, such as `http://127.0.0.1:3001`. */
  baseUrl: string;
  /** What tokens are asked for: the service's audience, and the scope that the calls need. */
  audience: string;
  scope: string;
  tokens: TokenSource;
  telemetry: Telemetry;
  tuning?: Partial<ServiceClientTuning>;
};

/** However long a 429 asks this process to stay away, it looks again after this; a wrong clock there must not switch a client off for a day. */
const longestStayAwayMs = 60_000;
/** A call that was given up sooner says nothing about the service; its caller just had little time left. */
const fairTimeMs = 500;

export type GetOptions = {
  /** Ends the call early; it is then answered `unavailable` (`cancelled`, or `deadline` for a signal that timed out). */
  signal?: AbortSignal;
  /** All the time that the call has, with waiting for a place, retries and their pauses, in milliseconds. */
  timeoutMs?: number;
  /** Of a read that the service answers once: it gives the same answer again to the same key, and refuses any other. The same for all retries of the call. */
  idempotencyKey?: string;
};

export type ServiceClient = {
  readonly name: string;
  /**
   * Reads a resource. Never throws for what a network or a service can do. The answer's value went through the schema, so unknown
   * fields are gone. Retries what may pass (no connection, 5xx, 408, 429, and 401 once with a fresh token) within deadline and budget.
   */
  get<S extends z.ZodType>(path: string, schema: S, options?: GetOptions): Promise<Answer<z.output<S>>>;
  /** Whether a call would be refused now without asking the service. Who claims work that needs the service stops claiming meanwhile. */
  readonly open: boolean;
  /** Waits for running requests, then closes the connections. */
  close(): Promise<void>;
};

/** What every attempt of a call has in common. */
type Call<S extends z.ZodType> = { path: string; schema: S; idempotencyKey: string | undefined };

/** How one attempt ended: with the call's answer, or with one that another attempt may better. */
type Attempt<T> =
  | { kind: 'final'; answer: Answer<T> }
  | { kind: 'retry'; answer: Unavailable; pauseMs?: number }
  | { kind: 'refused_token'; token: string; answer: Unavailable };

/** A client of one service. One instance for a process: breaker, limit, retry budget, connections are its. */
export function createServiceClient(options: ServiceClientOptions): ServiceClient {
  const { name, tokens, telemetry, audience, scope } = options;
  const tuning = { ...defaultTuning, ...options.tuning };
  const { origin, pathname } = new URL(options.baseUrl);
  const prefix = pathname.replace(/\/$/, '');
  const pool = new Pool(origin, {
    connections: tuning.maxRunning,
    connect: { timeout: tuning.connectTimeoutMs },
    headersTimeout: tuning.headersTimeoutMs,
    bodyTimeout: tuning.bodyTimeoutMs,
    maxResponseSize: tuning.maxBodyBytes,
    // connections end now and then, so that replicas that were added get their share
    clientTtl: 300_000,
  });
  const metrics = createClientMetrics(telemetry, name);
  const limit = createConcurrencyLimit(tuning.maxRunning, tuning.maxWaiting);
  const budget = createRetryBudget(tuning.retryShare, tuning.retryReserve);
  const breaker = createBreaker({
    name,
    volumeThreshold: tuning.volumeThreshold,
    errorThresholdPercentage: tuning.errorThresholdPercentage,
    resetAfterMs: tuning.resetAfterMs,
    onState(state) {
      metrics.breaker(state);
      telemetry.logger[state === 'open' ? 'warn' : 'info'](`the breaker of ${name} is ${state.replace('_', ' ')}`);
    },
  });
  /** A 429 is about this client as a whole, so that no call goes out before this. */
  let stayAwayUntil = 0;

  function stayAwayMs(): number {
    return stayAwayUntil - performance.now();
  }

  async function get<S extends z.ZodType>(path: string, schema: S, options: GetOptions = {}) {
    const { signal, timeoutMs, idempotencyKey } = options;
    const startedAt = performance.now();
    const deadline = startDeadline(timeoutMs ?? tuning.timeoutMs, signal);
    try {
      const answer = await withSpan(
        `GET ${name}`,
        async () => await attempts({ path, schema, idempotencyKey }, deadline),
      );
      metrics.called(
        answer.kind === 'unavailable' ? answer.reason : answer.kind,
        (performance.now() - startedAt) / 1000,
      );
      return answer;
    } finally {
      deadline.release();
    }
  }

  async function attempts<S extends z.ZodType>(call: Call<S>, deadline: Deadline): Promise<Answer<z.output<S>>> {
    budget.earn();
    let refusedToken: string | undefined;
    for (let number = 1; ; number++) {
      const attempt = await attemptOnce(call, deadline, refusedToken);
      if (attempt.kind === 'final') return attempt.answer;
      if (attempt.kind === 'refused_token') {
        // a token can be refused before its time (keys replaced, access changed): one fresh one is tried, and no pause is needed
        if (refusedToken !== undefined) return attempt.answer;
        refusedToken = attempt.token;
        tokens.invalidate(attempt.token);
        continue;
      }
      const pauseMs = attempt.pauseMs ?? backOffMs(number, tuning.retryPauseMs, tuning.maxRetryPauseMs);
      if (number >= tuning.maxAttempts || pauseMs >= deadline.remainingMs() || !budget.spend()) return attempt.answer;
      metrics.retried();
      try {
        await deadline.pause(pauseMs);
      } catch {
        return abandoned(deadline, attempt.answer.detail);
      }
    }
  }

  async function attemptOnce<S extends z.ZodType>(
    call: Call<S>,
    deadline: Deadline,
    refusedToken: string | undefined,
  ): Promise<Attempt<z.output<S>>> {
    if (breaker.refusesForMs() > 0) return { kind: 'final', answer: refused() };
    const awayMs = Math.ceil(stayAwayMs());
    if (awayMs >= deadline.remainingMs()) {
      return {
        kind: 'final',
        answer: unavailable('status', `${name} asked to stay away (429)`, { retryAfterMs: awayMs }),
      };
    }
    let release: (() => void) | undefined;
    try {
      if (awayMs > 0) await deadline.pause(awayMs);
      const token = await tokens.get({ audience, scope }, deadline.signal);
      if (token === refusedToken) {
        return { kind: 'final', answer: unavailable('unauthorized', `${name} refused a fresh token`) };
      }
      release = await limit.take(deadline.signal);
      metrics.concurrency(limit.running, limit.waiting);
      if (release === undefined) {
        return { kind: 'final', answer: unavailable('overloaded', `${limit.waiting} calls of ${name} wait already`) };
      }
      const admission = breaker.admit();
      if (admission === undefined) return { kind: 'final', answer: refused() };
      const reading = await request(call, token, deadline, admission);
      return conclude(reading, call.schema, token, deadline);
    } catch (error) {
      if (error instanceof TokenUnavailable) {
        return {
          kind: 'final',
          answer: unavailable('no_token', errorText(error), { retryAfterMs: error.retryAfterMs }),
        };
      }
      if (!deadline.signal.aborted) throw error;
      return { kind: 'final', answer: abandoned(deadline, 'before it was sent') };
    } finally {
      release?.();
      metrics.concurrency(limit.running, limit.waiting);
    }
  }

  async function request(
    { path, idempotencyKey }: Call<z.ZodType>,
    token: string,
    deadline: Deadline,
    admission: Admission,
  ): Promise<Reading> {
    const sentAt = performance.now();
    const { request_id: requestId, client_request_id: clientRequestId } = logContext();
    const reading = await sendGet(pool, `${prefix}${path}`, deadline.signal, {
      accept: 'application/json',
      authorization: `Bearer ${token}`,
      'user-agent': `taskwire-${telemetry.service}`,
      // lets the other side stop when nobody waits any more
      'x-timeout-ms': String(Math.max(1, Math.floor(deadline.remainingMs()))),
      ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
      ...(requestId === undefined ? {} : { 'x-request-id': requestId }),
      ...(clientRequestId === undefined ? {} : { 'x-client-request-id': clientRequestId }),
      ...injectTrace(),
    });
    const hadFairTime = performance.now() - sentAt >= fairTimeMs;
    const gaveUpEarly = deadline.signal.aborted && !(deadline.timedOut() && hadFairTime);
    admission.report(reading.kind === 'broken' && gaveUpEarly ? 'neutral' : reading.health);
    return reading;
  }

  function conclude<S extends z.ZodType>(
    reading: Reading,
    schema: S,
    token: string,
    deadline: Deadline,
  ): Attempt<z.output<S>> {
    if (reading.kind === 'broken') {
      if (deadline.signal.aborted) return { kind: 'final', answer: abandoned(deadline, 'while it ran') };
      return { kind: 'retry', answer: unavailable('network', reading.detail) };
    }
    const meaning = read(name, reading, schema);
    if (meaning.kind === 'answer') return { kind: 'final', answer: meaning.answer };
    if (meaning.kind === 'unauthenticated') return { kind: 'refused_token', token, answer: meaning.answer };
    const { answer } = meaning;
    if (reading.kind === 'answered' && reading.status === 429) {
      const awayMs = answer.retryAfterMs ?? tuning.maxRetryPauseMs;
      stayAwayUntil = Math.max(stayAwayUntil, performance.now() + Math.min(awayMs, longestStayAwayMs));
    }
    return { kind: 'retry', answer, ...(answer.retryAfterMs === undefined ? {} : { pauseMs: answer.retryAfterMs }) };
  }

  function refused(): Unavailable {
    return unavailable('breaker_open', `${name} failed too often and is not asked`, {
      retryAfterMs: breaker.refusesForMs(),
    });
  }

  function abandoned(deadline: Deadline, when: string): Unavailable {
    return deadline.timedOut()
      ? unavailable('deadline', `the time for ${name} ran out ${when}`)
      : unavailable('cancelled', `the call of ${name} was cancelled ${when}`);
  }

  return {
    name,
    get,
    get open() {
      return breaker.refusesForMs() > 0 || stayAwayMs() > 0;
    },
    async close() {
      breaker.close();
      await pool.close();
    },
  };
}
