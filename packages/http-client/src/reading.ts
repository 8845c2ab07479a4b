import { errorText } from '@taskwire/errors';
import type { Pool } from 'undici';
import { z } from 'zod';
import { unavailable, type Answer, type Unavailable } from './answer.ts';
import type { Verdict } from './breaker.ts';
import { retryAfterMs } from './retry.ts';

/** The response or failure of one request, and its evidence about the service's health. */
export type Reading =
  | {
      kind: 'answered';
      status: number;
      contentType: string;
      retryAfter: number | undefined;
      text: string;
      health: Verdict;
    }
  | { kind: 'too_large'; health: Verdict }
  | { kind: 'broken'; detail: string; health: Verdict };

/** The meaning of a response, from its status and body. */
type Meaning<T> =
  | { kind: 'answer'; answer: Answer<T> }
  | { kind: 'unauthenticated'; answer: Unavailable }
  | { kind: 'transient'; answer: Unavailable };

/** Sends one GET and reads the whole body. Redirects are not followed: no service responds with one. */
export async function sendGet(
  pool: Pool,
  path: string,
  signal: AbortSignal,
  headers: Record<string, string | undefined>,
): Promise<Reading> {
  try {
    const response = await pool.request({ method: 'GET', path, signal, headers });
    const status = response.statusCode;
    return {
      kind: 'answered',
      status,
      contentType: String(response.headers['content-type'] ?? ''),
      retryAfter: retryAfterMs(response.headers['retry-after']),
      text: await response.body.text(),
      health: healthOf(status),
    };
  } catch (error) {
    if (isCode(error, 'UND_ERR_RES_EXCEEDED_MAX_SIZE')) return { kind: 'too_large', health: 'neutral' };
    return { kind: 'broken', detail: errorText(error), health: 'failure' };
  }
}

/**
 * A service that refuses a request is healthy. 429 is neutral, because it concerns only this caller. A body that violates the contract is detected
 * later, and does not affect the breaker either: otherwise one malformed row would block the requests of all users.
 */
function healthOf(status: number): Verdict {
  if (status >= 500 || status === 408) return 'failure';
  return status === 429 ? 'neutral' : 'success';
}

export function read<S extends z.ZodType>(
  name: string,
  reading: Exclude<Reading, { kind: 'broken' }>,
  schema: S,
): Meaning<z.output<S>> {
  if (reading.kind === 'too_large') return badAnswer(`${name} sent a body that is too large`);
  const { status, text } = reading;
  const summary = `${name} answered ${status}`;
  switch (status) {
    case 200:
      return parse(name, text, schema);
    case 401:
      return { kind: 'unauthenticated', answer: unavailable('unauthorized', summary, { status }) };
    case 403:
      return { kind: 'answer', answer: unavailable('unauthorized', summary, { status }) };
    case 404:
    case 410: {
      const problem = contractProblem(reading);
      if (status === 404 && problem?.code === 'not_found') return { kind: 'answer', answer: { kind: 'not_found' } };
      if (status === 410 && problem?.code === 'gone')
        return { kind: 'answer', answer: { kind: 'gone', detail: problem.detail } };
      // a proxy or another server at this address may have responded, which is no evidence about the resource
      const detail = `${summary} without the problem document of its contract`;
      return { kind: 'transient', answer: unavailable('status', detail, { status, retryAfterMs: reading.retryAfter }) };
    }
  }
  const isTransient = status === 408 || status === 429 || (status >= 500 && status !== 501);
  const answer = unavailable('status', summary, { status, retryAfterMs: reading.retryAfter });
  return isTransient ? { kind: 'transient', answer } : { kind: 'answer', answer };
}

function parse<S extends z.ZodType>(name: string, text: string, schema: S): Meaning<z.output<S>> {
  const json = toJson(text);
  if (json === undefined) return badAnswer(`${name} answered 200 without JSON`);
  const parsed = schema.safeParse(json);
  if (parsed.success) return { kind: 'answer', answer: { kind: 'ok', value: parsed.data } };
  const faults = parsed.error.issues.slice(0, 5).map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  return badAnswer(`a response of ${name} violates its contract: ${faults.join('; ')}`);
}

const problemDocument = z.object({ code: z.string(), detail: z.string().transform((text) => text.slice(0, 500)) });

/** The problem document of a response (RFC 9457); undefined for any other body, whatever its status. */
function contractProblem({ contentType, text }: Extract<Reading, { kind: 'answered' }>) {
  if (!/^application\/problem\+json\s*(;|$)/i.test(contentType)) return undefined;
  return problemDocument.safeParse(toJson(text)).data;
}

function toJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function badAnswer(detail: string): Meaning<never> {
  return { kind: 'answer', answer: unavailable('bad_answer', detail) };
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
