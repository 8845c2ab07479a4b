import { problem, Problem } from '@taskwire/errors';

/** An RFC 9457 document, ready to send. */
export type ProblemDocument = {
  status: number;
  headers: Record<string, string>;
  body: Record<string, unknown>;
};

/**
 * Converts the problem to a document. `internal` exposes only its title and code, whatever else the problem contains. The details of other problems are
 * written for callers.
 */
export function problemDocument(error: Problem, requestId: string): ProblemDocument {
  const exposed = error.code !== 'internal';
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
      errors: error.errors,
      ...(exposed ? error.members : {}),
      request_id: requestId,
    },
  };
}

/**
 * Converts any error to a problem: an error that is neither a problem nor a known error in the request becomes `internal` with the error as its
 * cause.
 */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const status: unknown = error instanceof Error && 'status' in error ? error.status : undefined;
  // Express throws this for a path such as /tasks/%ff, which cannot be decoded
  if (typeof status === 'number' && status >= 400 && status < 500)
    return problem('bad_request', undefined, { cause: error });
  return problem('internal', undefined, { cause: error });
}
