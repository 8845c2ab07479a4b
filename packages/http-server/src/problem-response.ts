import { problem, Problem, type ProblemCode } from '@taskwire/errors';

/** An RFC 9457 document, ready to send. */
export type ProblemDocument = {
  status: number;
  headers: Record<string, string>;
  body: Record<string, unknown>;
};

/** The problem as a document. A 5xx shows its title and code only, whatever was written into it. */
export function problemDocument(error: Problem, requestId: string): ProblemDocument {
  const exposed = error.status < 500 || error.code === 'unavailable';
  return {
    status: error.status,
    headers: {
      ...error.headers,
      'content-type': 'application/problem+json; charset=utf-8',
      'cache-control': 'no-store',
    },
    body: {
      type: `/docs/problems#${error.code}`,
      title: error.title,
      status: error.status,
      detail: exposed ? error.detail : `${error.title}.`,
      code: error.code,
      ...(error.errors === undefined ? {} : { errors: error.errors }),
      request_id: requestId,
    },
  };
}

/** What body-parser and Express throw, by `type` or status; see https://github.com/expressjs/body-parser#errors */
const byType: Readonly<Record<string, [ProblemCode, string]>> = {
  'entity.parse.failed': ['malformed_json', 'The body cannot be parsed as JSON.'],
  'entity.too.large': ['payload_too_large', 'A body may have 1 MiB at most.'],
  'encoding.unsupported': ['unsupported_media_type', 'The Content-Encoding is not supported.'],
  'charset.unsupported': ['unsupported_media_type', 'The charset must be UTF-8.'],
  'request.aborted': ['bad_request', 'The body ended early.'],
  'request.size.invalid': ['bad_request', 'The Content-Length does not fit the body.'],
  'stream.encoding.set': ['bad_request', 'The body cannot be read.'],
  'parameters.too.many': ['bad_request', 'The body has too many parameters.'],
};

/** Any error as a problem: what is not one, and not a known fault of the request, is `internal` with the error as its cause. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const type: unknown = error instanceof Error && 'type' in error ? error.type : undefined;
  const known = typeof type === 'string' ? byType[type] : undefined;
  if (known !== undefined) return problem(known[0], known[1], { cause: error });
  const status: unknown = error instanceof Error && 'status' in error ? error.status : undefined;
  // a path such as /tasks/%ff, which cannot be decoded, and broken compressed bodies
  if (typeof status === 'number' && status >= 400 && status < 500)
    return problem('bad_request', undefined, { cause: error });
  return problem('internal', undefined, { cause: error });
}
