import { parsed, problemIn } from '../answer.ts';
import { attempt, LostAnswer, type Request } from '../attempt.ts';
import type { Connection } from '../authorization.ts';
import { ConnectionError, ProblemError } from '../errors.ts';
import { pause } from '../abort.ts';
import { isTemporary, longestRetryAfterMs, pauseMs } from '../retry.ts';
import type { TokenAnswer } from './tokens.ts';

/** Long enough for a request that takes milliseconds, short enough for the calls that wait for it. */
const timeoutMs = 10_000;
/** As for calls: a third failure in a row is rarely a coincidence. */
const retries = 2;

/** A request for tokens. `isRepeatable`: whether the same request may be sent again; a refresh may, for a few seconds. */
export type TokenRequest = {
  name: string;
  path: string;
  headers?: Record<string, string>;
  body: object | URLSearchParams;
  isRepeatable: boolean;
};

/** @throws ProblemError for a refusal. Its code is the problem's or OAuth's, such as `invalid_grant`. */
export async function exchange(
  { baseUrl, fetch }: Connection,
  { name, path, headers, body, isRepeatable }: TokenRequest,
): Promise<TokenAnswer> {
  const isForm = body instanceof URLSearchParams;
  const request: Request = {
    method: 'POST',
    url: `${baseUrl}${path}`,
    headers: {
      accept: 'application/json',
      'content-type': isForm ? 'application/x-www-form-urlencoded' : 'application/json',
      ...headers,
    },
    body: isForm ? body.toString() : JSON.stringify(body),
  };
  for (let attempts = 1; ; attempts++) {
    const facts = { operationId: name, attempts, outcome: 'unknown' as const };
    const isLast = !isRepeatable || attempts > retries;
    try {
      const answer = await attempt(fetch, request, { timeoutMs, signal: undefined });
      const value = parsed(answer.text) as (TokenAnswer & { error?: string; error_description?: string }) | undefined;
      if (answer.status === 200 && typeof value?.access_token === 'string') return value;
      const problem = problemIn(answer);
      if (value?.error !== undefined)
        Object.assign(problem, { code: value.error, detail: value.error_description ?? value.error });
      if (isLast || !isTemporary(problem) || (problem.retryAfterMs ?? 0) > longestRetryAfterMs) {
        throw new ProblemError(problem, { ...facts, requestId: answer.headers.get('x-request-id') ?? undefined });
      }
      await pause(pauseMs(attempts - 1, problem.retryAfterMs), undefined);
    } catch (error) {
      if (!(error instanceof LostAnswer)) throw error;
      if (isLast) throw new ConnectionError(error.message, facts, error.cause);
      await pause(pauseMs(attempts - 1, undefined), undefined);
    }
  }
}

/** Whether a refusal means that the session or the consent has ended, not that the service is unavailable. */
export function isFinal(error: unknown): boolean {
  return error instanceof ProblemError && (error.code === 'invalid_refresh_token' || error.code === 'invalid_grant');
}
