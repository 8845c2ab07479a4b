import { problemTypes, type ProblemCode } from './codes.ts';

/** One error of one field. `field` is the dotted path from the root of the input, for example `labels.0`. */
export type FieldError = { field: string; code: string; message: string };

/** Optional details of a problem. */
export type ProblemExtra = {
  errors?: readonly FieldError[];
  /** Extension members of the problem document (RFC 9457 section 3.2), which its schema in the contract describes. */
  members?: Readonly<Record<string, unknown>>;
  /** Response headers that belong to the problem, such as `Retry-After` or `WWW-Authenticate`. */
  headers?: Readonly<Record<string, string>>;
  /** The underlying error, which is logged but never shown. */
  cause?: unknown;
};

/** The description of a field that breaks a rule. */
type FieldOfProblem = { field: string; message: string; detail: string; members?: ProblemExtra['members'] };

/**
 * An error that is meant for the caller. The HTTP server is the only place that converts it to an RFC 9457 problem document. Any other error is
 * reported as `internal`, without its details.
 */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: ProblemCode;
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly errors: readonly FieldError[] | undefined;
  readonly members: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ProblemCode, detail: string | undefined, extra: ProblemExtra) {
    const { status, title } = problemTypes[code];
    super(detail ?? title, { cause: extra.cause });
    this.code = code;
    this.status = status;
    this.title = title;
    this.detail = detail ?? `${title}.`;
    this.errors = extra.errors;
    this.members = extra.members ?? {};
    this.headers = extra.headers ?? {};
  }
}

/** Creates a Problem to throw. `detail` is a sentence for the person who reads the response, and must not contain secrets. */
export function problem(code: ProblemCode, detail?: string, extra: ProblemExtra = {}): Problem {
  return new Problem(code, detail, extra);
}

/** Creates a Problem about one field: `message` continues a sentence that begins with the field, as in `parent_id is not the id of a task`. */
export function fieldProblem(code: ProblemCode, { field, message, detail, members = {} }: FieldOfProblem): Problem {
  return problem(code, detail, { errors: [{ field, code, message }], members });
}

/** Formats an error as one line for logs and `last_error` columns: its name, message and chain of causes, at most 2,000 characters. */
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
