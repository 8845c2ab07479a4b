export type { Fetch } from './attempt.ts';
export { bearer, type Authorization, type Connection } from './authorization.ts';
export type { Call, CallResult, Opened } from './call.ts';
export {
  ConflictError,
  ConnectionError,
  isProblem,
  ProblemError,
  SignedOutError,
  TimeoutError,
  type Current,
  type FieldError,
  type Outcome,
  type ProblemCode,
} from './errors.ts';
export type { Api } from './generated/api.ts';
export type { ProblemCodes } from './generated/problem-codes.ts';
export type * as types from './generated/types.ts';
export type { Feed, FeedPage } from './feed.ts';
export type { List, Page } from './list.ts';
export type { CallOptions, VersionedOptions } from './options.ts';
export { pauseMs, type Pauses } from './retry.ts';
export { Taskwire, type TaskwireOptions } from './taskwire.ts';
export { m2m, type M2mOptions } from './auth/m2m.ts';
export { oidc, type OidcOptions, type OidcSession } from './auth/oidc.ts';
export { passwordSession, type PasswordSession, type PasswordSessionOptions } from './auth/password-session.ts';
export type { Tokens, TokenStore } from './auth/tokens.ts';
