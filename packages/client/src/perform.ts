import { pause, raced } from './abort.ts';
import { parsed, problemIn, type Answer } from './answer.ts';
import { attempt, LostAnswer, type Fetch, type Request } from './attempt.ts';
import type { Authorization } from './authorization.ts';
import type { CallResult } from './call.ts';
import {
  ConflictError,
  ConnectionError,
  ProblemError,
  TimeoutError,
  type CallFacts,
  type ProblemFields,
} from './errors.ts';
import { concreteVersion, ifMatchHeader, wasApplied } from './lost-change.ts';
import type { Operation } from './operation.ts';
import type { CallOptions } from './options.ts';
import { randomId } from './random.ts';
import { isTemporary, longestRetryAfterMs, mayHaveHappened, pauseMs, type RetryBudget } from './retry.ts';

/** The settings and state that all calls of a client share. */
export type Settings = {
  baseUrl: string;
  fetch: Fetch;
  authorization: Authorization | undefined;
  timeoutMs: number;
  maxRetries: number;
  budget: RetryBudget;
};

/**
 * The input of a call: the path with its parameters and query, and the body. `known` is the ETag of the representation that the caller has; if it is
 * current, the value of the result is undefined.
 */
export type Input = { path: string; body?: unknown; known?: string | undefined };

/** Makes a call, with as many attempts as are needed and allowed. */
export async function perform(
  settings: Settings,
  operation: Operation,
  input: Input,
  options: CallOptions,
): Promise<CallResult<unknown>> {
  return await new Performance(settings, operation, input, options).run();
}

/** One call in progress. */
class Performance {
  readonly #settings: Settings;
  readonly #operation: Operation;
  readonly #input: Input;
  readonly #options: CallOptions;
  readonly #request: Request;
  readonly #canRepeat: boolean;
  readonly #version: number | undefined;
  #attempts = 0;
  #retries = 0;
  /** Whether an attempt may have taken effect without a response. */
  #isLost = false;

  constructor(settings: Settings, operation: Operation, input: Input, options: CallOptions) {
    this.#settings = settings;
    this.#operation = operation;
    this.#input = input;
    this.#options = options;
    const { method } = operation;
    const ifMatch = ifMatchHeader(options.ifMatch);
    const id = randomId();
    this.#version = concreteVersion(ifMatch);
    this.#request = {
      method,
      url: `${settings.baseUrl}${input.path}`,
      headers: {
        accept: 'application/json',
        // one id for all attempts; the services log it as client_request_id
        'x-request-id': id,
        ...(input.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
        ...(input.known === undefined ? {} : { 'if-none-match': input.known }),
        ...(operation.idempotent === true ? { 'idempotency-key': options.idempotencyKey ?? id } : {}),
      },
      body: input.body === undefined ? undefined : JSON.stringify(input.body),
    };
    this.#canRepeat =
      method === 'GET' ||
      operation.repeatable === true ||
      (method === 'POST' ? operation.idempotent === true : this.#version !== undefined);
  }

  async run(): Promise<CallResult<unknown>> {
    let rejected: string | undefined;
    for (;;) {
      const token = await this.#token(rejected);
      const answer = await this.#attempt(token);
      if (answer === undefined) continue;
      // a refused token means that nothing was done, so this repeats even a call without a key
      if (answer.status === 401 && token !== undefined && rejected === undefined) {
        rejected = token;
        continue;
      }
      const result = this.#success(answer) ?? (await this.#afterProblem(answer));
      if (result !== undefined) return result;
    }
  }

  async #token(rejected: string | undefined): Promise<string | undefined> {
    const { authorization } = this.#settings;
    if (authorization === undefined || this.#operation.open === true) return undefined;
    return await raced(authorization.accessToken(rejected), this.#options.signal);
  }

  /** Makes one attempt. Returns the complete response, or undefined if there was none and the next attempt is due. */
  async #attempt(token: string | undefined): Promise<Answer | undefined> {
    this.#attempts += 1;
    const { headers } = this.#request;
    const request =
      token === undefined
        ? this.#request
        : { ...this.#request, headers: { ...headers, authorization: `Bearer ${token}` } };
    const timeoutMs = this.#options.timeoutMs ?? this.#settings.timeoutMs;
    try {
      const answer = await attempt(this.#settings.fetch, request, { timeoutMs, signal: this.#options.signal });
      if (answer.status !== this.#operation.status || !this.#hasBody() || parsed(answer.text) !== undefined)
        return answer;
      throw new LostAnswer('the response is not JSON', { isTimeout: false });
    } catch (error) {
      if (!(error instanceof LostAnswer)) throw error;
      this.#isLost = true;
      if (await this.#nextIsDue(undefined)) return undefined;
      throw new (error.isTimeout ? TimeoutError : ConnectionError)(error.message, this.#facts(undefined), error.cause);
    }
  }

  #hasBody(): boolean {
    return this.#operation.status < 202;
  }

  #success(answer: Answer): CallResult<unknown> | undefined {
    const { method, status } = this.#operation;
    const isGone = method === 'DELETE' && this.#isLost && (answer.status === 404 || answer.status === 410);
    const isKnown = this.#input.known !== undefined && answer.status === 304;
    if (answer.status !== status && !isGone && !isKnown) return undefined;
    this.#settings.budget.refund(this.#retries);
    return {
      value: this.#hasBody() && !isKnown ? parsed(answer.text) : undefined,
      etag: answer.headers.get('etag') ?? undefined,
      requestId: answer.headers.get('x-request-id') ?? undefined,
      attempts: this.#attempts,
      replayed: answer.headers.get('idempotency-replayed') === 'true',
    };
  }

  /** Returns undefined if the next attempt is due, and a result if the change turns out to have been made. @throws the problem otherwise. */
  async #afterProblem(answer: Answer): Promise<CallResult<unknown> | undefined> {
    const problem = problemIn(answer);
    const requestId = answer.headers.get('x-request-id') ?? undefined;
    this.#isLost ||= mayHaveHappened(answer.status);
    if (isTemporary(problem)) {
      if (await this.#nextIsDue(problem.retryAfterMs)) return undefined;
    } else if (answer.status < 500) {
      this.#settings.budget.refund(this.#retries);
    }
    if (answer.status === 412) return (await this.#lostChange()) ?? this.#conflict(problem, requestId);
    throw new ProblemError(problem, this.#facts(requestId));
  }

  #conflict(problem: ProblemFields, requestId: string | undefined): never {
    throw new ConflictError(problem, this.#facts(requestId));
  }

  /** A refused repetition of a change may mean that the first attempt succeeded: reads the resource again to find out. */
  async #lostChange(): Promise<CallResult<unknown> | undefined> {
    if (!this.#isLost || this.#operation.method !== 'PATCH' || this.#version === undefined) return undefined;
    const read: Operation = { id: this.#operation.id, method: 'GET', path: this.#operation.path, status: 200 };
    const { signal, timeoutMs, maxRetries } = this.#options;
    const options = defined({ signal, timeoutMs, maxRetries });
    try {
      const found = await perform(this.#settings, read, { path: this.#input.path }, options);
      this.#attempts += found.attempts;
      if (wasApplied(this.#input.body, found.value, this.#version)) return { ...found, attempts: this.#attempts };
    } catch (error) {
      // unreadable: the outcome stays unknown
      if (!(error instanceof ProblemError) && !(error instanceof ConnectionError)) throw error;
    }
    return undefined;
  }

  /** Whether another attempt follows; resolves when it is due. */
  async #nextIsDue(retryAfterMs: number | undefined): Promise<boolean> {
    const most = this.#options.maxRetries ?? this.#settings.maxRetries;
    if (!this.#canRepeat || this.#retries >= most || (retryAfterMs ?? 0) > longestRetryAfterMs) return false;
    if (!this.#settings.budget.take()) return false;
    await pause(pauseMs(this.#retries, retryAfterMs), this.#options.signal);
    this.#retries += 1;
    return true;
  }

  #facts(requestId: string | undefined): CallFacts {
    const { id, method } = this.#operation;
    return {
      operationId: id,
      attempts: this.#attempts,
      requestId,
      outcome: this.#isLost && method !== 'GET' ? 'unknown' : 'not_applied',
    };
  }
}

/** Omits the options that are undefined. */
function defined(options: { [Name in keyof CallOptions]: CallOptions[Name] | undefined }): CallOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
