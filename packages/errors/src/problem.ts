import { problemTypes, type ProblemCode } from './codes.ts';

/** One fault of one field. `field` is the dotted path from the root of the input, for example `labels.0`. */
export type FieldError = { field: string; code: string; message: string };

/** What may be said of a problem beyond its code. */
export type ProblemExtra = {
  errors?: readonly FieldError[];
  /** Response headers that belong to the problem, such as `Retry-After` or `WWW-Authenticate`. */
  headers?: Readonly<Record<string, string>>;
  /** What really happened; logged, never shown. */
  cause?: unknown;
};

/**
 * An error that is meant for the caller. It becomes an RFC 9457 problem document in one place, the HTTP server.
 * Anything thrown that is not a Problem is answered as `internal`, with nothing of it shown.
 */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: ProblemCode;
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly errors: readonly FieldError[] | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ProblemCode, detail: string | undefined, extra: ProblemExtra) {
    const { status, title } = problemTypes[code];
    super(detail ?? title, { cause: extra.cause });
    this.code = code;
    this.status = status;
    this.title = title;
    this.detail = detail ?? `${title}.`;
    this.errors = extra.errors;
    this.headers = extra.headers ?? {};
  }
}

/** A Problem to throw. `detail` is a sentence for the person who reads the answer; it must not carry secrets. */
export function problem(code: ProblemCode, detail?: string, extra: ProblemExtra = {}): Problem {
  return new Problem(code, detail, extra);
}

/** An error as one line for logs and `last_error` columns: its name, message and chain of causes, at most 2,000 characters. */
export function errorText(error: unknown): string {
  const parts: string[] = [];
  for (let e: unknown = error, depth = 0; e !== undefined && e !== null && depth < 5; depth++) {
    if (e instanceof AggregateError && e.message === '') {
      parts.push(e.errors.map((inner) => errorText(inner)).join('; '));
      break;
    }
    parts.push(e instanceof Error ? `${e.name}: ${e.message}` : String(e));
    e = e instanceof Error ? e.cause : undefined;
  }
  return parts.join(' < ').replaceAll(/\s+/g, ' ').slice(0, 2000);
}
