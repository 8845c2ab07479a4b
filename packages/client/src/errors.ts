import type { ProblemCodes } from './generated/problem-codes.ts';

/** Every code that an operation of the API may return. */
export type ProblemCode = ProblemCodes[keyof ProblemCodes];

/** One error of one field: its dotted path from the root of the input, and what is wrong. */
export type FieldError = { field: string; code: string; message: string };

/** Whether a change took effect. `unknown`: a response was lost, so read the resource before you repeat the change. `not_applied`: it had no effect. */
export type Outcome = 'unknown' | 'not_applied';

/** The facts about a call that every error carries. */
export type CallFacts = { operationId: string; attempts: number; requestId?: string | undefined; outcome: Outcome };

/** The current representation of a resource, or its version alone if the caller may not read it. */
export type Current = { version: number } & Record<string, unknown>;

/** The fields of a problem document (RFC 9457), or substitutes for them if the response was not one. */
export type ProblemFields = {
  status: number;
  code: string;
  title: string;
  detail: string;
  errors?: readonly FieldError[] | undefined;
  current?: Current | undefined;
  retryAfterMs?: number | undefined;
};

/** A response with an error status, from Taskwire or from a proxy in front of it. */
export class ProblemError<Code extends string = string> extends Error {
  override readonly name: string = 'ProblemError';
  readonly status: number;
  readonly code: Code;
  readonly title: string;
  readonly detail: string;
  readonly errors: readonly FieldError[];
  readonly retryAfterMs: number | undefined;
  readonly operationId: string;
  readonly attempts: number;
  readonly requestId: string | undefined;
  readonly outcome: Outcome;

  constructor(fields: ProblemFields, facts: CallFacts) {
    super(`${facts.operationId}: ${fields.status} ${fields.code}: ${fields.detail}`);
    this.status = fields.status;
    this.code = fields.code as Code;
    this.title = fields.title;
    this.detail = fields.detail;
    this.errors = fields.errors ?? [];
    this.retryAfterMs = fields.retryAfterMs;
    this.operationId = facts.operationId;
    this.attempts = facts.attempts;
    this.requestId = facts.requestId;
    this.outcome = facts.outcome;
  }
}

/** The resource's version differs from the version that the change was based on. `outcome` is `unknown` if an earlier attempt may have made the change. */
export class ConflictError extends ProblemError<'precondition_failed'> {
  override readonly name = 'ConflictError';
  /** The resource as it is now, to merge the change with; undefined if the response did not have it. */
  readonly current: Current | undefined;

  constructor(fields: ProblemFields, facts: CallFacts) {
    super(fields, facts);
    this.current = fields.current;
  }
}

/** No complete response arrived: the network failed, the response was cut off, or it took too long. */
export class ConnectionError extends Error {
  override readonly name: string = 'ConnectionError';
  readonly operationId: string;
  readonly attempts: number;
  readonly outcome: Outcome;

  constructor(message: string, facts: CallFacts, cause?: unknown) {
    super(`${facts.operationId}: ${message}`, { cause });
    this.operationId = facts.operationId;
    this.attempts = facts.attempts;
    this.outcome = facts.outcome;
  }
}

/** No complete response arrived in time. */
export class TimeoutError extends ConnectionError {
  override readonly name = 'TimeoutError';
}

/** There is no session, or it has ended: the user must log in. */
export class SignedOutError extends Error {
  override readonly name = 'SignedOutError';
}

/** Whether an error is a problem with this code. */
export function isProblem<Code extends ProblemCode>(error: unknown, code: Code): error is ProblemError<Code>;
/** Whether an error is this problem of this operation. Only the operation's own codes are accepted. */
export function isProblem<Id extends keyof ProblemCodes, Code extends ProblemCodes[Id]>(
  error: unknown,
  operationId: Id,
  code: Code,
): error is ProblemError<Code>;
export function isProblem(error: unknown, ...wanted: [string] | [string, string]): boolean {
  if (!(error instanceof ProblemError)) return false;
  const [operationId, code] = wanted.length === 2 ? wanted : [error.operationId, wanted[0]];
  return error.operationId === operationId && error.code === code;
}
