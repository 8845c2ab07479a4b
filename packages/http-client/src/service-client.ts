import { errorText } from '@taskwire/errors';
import { backOffMs } from '@taskwire/lifecycle';
import { failSpan, injectTrace, logContext, withSpan, type Telemetry } from '@taskwire/telemetry';
import { Pool } from 'undici';
import type { z } from 'zod';
import { unavailable, type Answer, type Unavailable } from './answer.ts';
import { createBreaker, type Admission } from './breaker.ts';
import { createConcurrencyLimit } from './concurrency-limit.ts';
import { startDeadline, type Deadline } from './deadline.ts';
import { createClientMetrics } from './metrics.ts';
import { read, sendGet, type Reading } from './reading.ts';
import { clientSpan } from './request-span.ts';
import { createRetryBudget } from './retry.ts';
import { TokenUnavailable, type TokenSource } from './tokens.ts';
import { defaultTuning, type ServiceClientTuning } from './tuning.ts';

export type ServiceClientOptions = {
  /** The name of the service in logs and metrics, such as `auth`. */
  name: string;
  /** The base URL of its internal REST API, such as `http://127.0.0.1:3001`. */
  baseUrl: string;
  /** The token parameters: the service's audience, and the scope required by the calls. */
  audience: string;
  scope: string;
  tokens: TokenSource;
  telemetry: Telemetry;
  tuning?: Partial<ServiceClientTuning>;
};

/** The maximum pause after a 429, whatever its Retry-After says; a wrong clock in the service must not disable a client for a day. */
const maxRateLimitPauseMs = 60_000;
/** A call that is cancelled sooner is no evidence about the service, because its caller had little time left. */
const minEvidenceMs = 500;

export type GetOptions = {
  /** Ends the call early; its result is then `unavailable` (`cancelled`, or `deadline` for a signal that timed out). */
  signal?: AbortSignal | undefined;
  /** The total time of the call in milliseconds, including waiting for a slot, retries and their pauses. */
  timeoutMs?: number | undefined;
  /**
   * Required to read a resource that the service returns to only one reader. The service repeats the response for the same key, and rejects any other
   * key. Retries of the call use the same key.
   */
  idempotencyKey?: string | undefined;
};

export type ServiceClient = {
  readonly name: string;
  /**
   * Reads a resource. Never throws for failures of the network or the service. The schema has parsed the answer's value, so unknown fields are
   * removed. Retries transient failures (no connection, 5xx, 408, 429, and 401 once with a fresh token) within deadline and budget.
   */
  get<S extends z.ZodType>(path: string, schema: S, options?: GetOptions): Promise<Answer<z.output<S>>>;
  /**
   * Whether a call would be refused now without a request to the service. Loops that claim work needing the service stop claiming while this is true.
   */
  readonly open: boolean;
  /** Waits for running requests, then closes the connections. */
  close(): Promise<void>;
};

/** The parameters shared by all attempts of a call. */
type Call<S extends z.ZodType> = { path: string; schema: S; idempotencyKey: string | undefined };

/** One attempt of a call. `number` starts at 1. */
type NumberedCall<S extends z.ZodType> = Call<S> & { number: number };

/** The result of one attempt: the call's final result, or a result that another attempt may change. */
type Attempt<T> =
  | { kind: 'final'; answer: Answer<T> }
  | { kind: 'retry'; answer: Unavailable; pauseMs?: number | undefined }
  | { kind: 'rejected_token'; token: string; answer: Unavailable };

/** Creates a client of one service. Use one instance per process: it holds the breaker, limit, retry budget and connections. */
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
    // connections are renewed every five minutes, so that new replicas get their share of the load
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
  /** The time before which no call is sent: a 429 applies to this client as a whole. */
  let rateLimitedUntil = 0;

  function rateLimitedForMs(): number {
    return rateLimitedUntil - performance.now();
  }

  async function get<S extends z.ZodType>(path: string, schema: S, options: GetOptions = {}) {
    const { signal, timeoutMs, idempotencyKey } = options;
    const startedAt = performance.now();
    const deadline = startDeadline(timeoutMs ?? tuning.timeoutMs, signal);
    try {
      const answer = await attempts({ path, schema, idempotencyKey }, deadline);
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
    let rejectedToken: string | undefined;
    for (let number = 1; ; number++) {
      const attempt = await attemptOnce({ ...call, number }, deadline, rejectedToken);
      if (attempt.kind === 'final') return attempt.answer;
      if (attempt.kind === 'rejected_token') {
        // a token can be rejected before it expires (keys replaced, access changed): retry once, without a pause, with a fresh token
        if (rejectedToken !== undefined) return attempt.answer;
        rejectedToken = attempt.token;
        tokens.invalidate(attempt.token);
        continue;
      }
      const pauseMs = attempt.pauseMs ?? backOffMs(number, tuning.retryPause);
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
    call: NumberedCall<S>,
    deadline: Deadline,
    rejectedToken: string | undefined,
  ): Promise<Attempt<z.output<S>>> {
    if (breaker.refusesForMs() > 0) return { kind: 'final', answer: refused() };
    const pauseMs = Math.ceil(rateLimitedForMs());
    if (pauseMs >= deadline.remainingMs()) {
      return {
        kind: 'final',
        answer: unavailable('status', `${name} is rate-limiting this client (429)`, { retryAfterMs: pauseMs }),
      };
    }
    let release: (() => void) | undefined;
    try {
      if (pauseMs > 0) await deadline.pause(pauseMs);
      const token = await tokens.get({ audience, scope }, deadline.signal);
      if (token === rejectedToken) {
        return { kind: 'final', answer: unavailable('unauthorized', `${name} rejected a fresh token`) };
      }
      release = await limit.take(deadline.signal);
      metrics.concurrency(limit.running, limit.waiting);
      if (release === undefined) {
        return {
          kind: 'final',
          answer: unavailable('overloaded', `${limit.waiting} calls to ${name} are already waiting`),
        };
      }
      const admission = breaker.admit();
      if (admission === undefined) return { kind: 'final', answer: refused() };
      const reading = await request(call, token, deadline, admission);
      return toAttempt(reading, call.schema, token, deadline);
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
    { path, idempotencyKey, number }: NumberedCall<z.ZodType>,
    token: string,
    deadline: Deadline,
    admission: Admission,
  ): Promise<Reading> {
    const sentAt = performance.now();
    const { request_id: requestId, client_request_id: clientRequestId } = logContext();
    const headers = {
      accept: 'application/json',
      authorization: `Bearer ${token}`,
      'user-agent': `taskwire-${telemetry.service}`,
      // lets the service stop once the caller no longer waits
      'x-timeout-ms': String(Math.max(1, Math.floor(deadline.remainingMs()))),
      // undici leaves out headers that are undefined
      'idempotency-key': idempotencyKey,
      'x-request-id': requestId,
      'x-client-request-id': clientRequestId,
    };
    const target = `${prefix}${path}`;
    const reading = await withSpan(clientSpan('GET', origin, target, number), async (span) => {
      const read = await sendGet(pool, target, deadline.signal, { ...headers, ...injectTrace() });
      if (read.kind !== 'answered') failSpan(span, read.kind);
      else {
        span.setAttribute('http.response.status_code', read.status);
        if (read.status >= 400) failSpan(span, String(read.status));
      }
      return read;
    });
    const isEvidence = performance.now() - sentAt >= minEvidenceMs;
    const cancelledEarly = deadline.signal.aborted && !(deadline.timedOut() && isEvidence);
    admission.report(reading.kind === 'broken' && cancelledEarly ? 'neutral' : reading.health);
    return reading;
  }

  function toAttempt<S extends z.ZodType>(
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
    if (meaning.kind === 'unauthenticated') return { kind: 'rejected_token', token, answer: meaning.answer };
    const { answer } = meaning;
    if (reading.kind === 'answered' && reading.status === 429) {
      const pauseMs = answer.retryAfterMs ?? tuning.retryPause.capMs;
      rateLimitedUntil = Math.max(rateLimitedUntil, performance.now() + Math.min(pauseMs, maxRateLimitPauseMs));
    }
    return { kind: 'retry', answer, pauseMs: answer.retryAfterMs };
  }

  function refused(): Unavailable {
    return unavailable('breaker_open', `${name} failed too often; no request was sent`, {
      retryAfterMs: breaker.refusesForMs(),
    });
  }

  function abandoned(deadline: Deadline, when: string): Unavailable {
    return deadline.timedOut()
      ? unavailable('deadline', `the call to ${name} timed out ${when}`)
      : unavailable('cancelled', `the call to ${name} was cancelled ${when}`);
  }

  return {
    name,
    get,
    get open() {
      return breaker.refusesForMs() > 0 || rateLimitedForMs() > 0;
    },
    async close() {
      breaker.close();
      await pool.close();
    },
  };
}
