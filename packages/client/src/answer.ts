import type { Current, FieldError, ProblemFields } from './errors.ts';

/** A complete response. */
export type Answer = { status: number; headers: Headers; text: string };

/** Codes for responses that aren't problem documents: the codes that the gateway would have used. */
const codes: Readonly<Record<number, string>> = {
  429: 'rate_limited',
  502: 'bad_gateway',
  503: 'unavailable',
  504: 'timeout',
};

/** Returns the problem in a response. If the response isn't a problem document, such as a proxy's page, only its status counts. */
export function problemIn({ status, headers, text }: Answer): ProblemFields {
  const found = (parsed(text) ?? {}) as Partial<Record<keyof ProblemFields, unknown>>;
  const stringOf = (name: 'code' | 'title' | 'detail') => (typeof found[name] === 'string' ? found[name] : undefined);
  const title = stringOf('title') ?? 'The response is not from Taskwire';
  return {
    status,
    code: stringOf('code') ?? codes[status] ?? 'unexpected_answer',
    title,
    detail: stringOf('detail') ?? `${title} (status ${status}).`,
    errors: Array.isArray(found.errors) ? (found.errors as FieldError[]) : undefined,
    current: isVersioned(found.current) ? found.current : undefined,
    retryAfterMs: retryAfterMs(headers.get('retry-after')),
  };
}

function isVersioned(value: unknown): value is Current {
  return typeof value === 'object' && value !== null && 'version' in value;
}

/** Returns the value of JSON text, or undefined if the text isn't JSON. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Retry-After is a number of seconds or a date (RFC 9110 section 10.2.3). */
function retryAfterMs(value: string | null): number | undefined {
  if (value === null || value === '') return undefined;
  const ms = Number(value) * 1000;
  const wait = Number.isNaN(ms) ? Date.parse(value) - Date.now() : ms;
  return Number.isNaN(wait) ? undefined : Math.max(0, wait);
}
