export type { Actor, ServiceActor, UserActor } from './access/actor.ts';
export {
  jwtAuthenticator,
  type Authenticator,
  type JwtAuthenticatorOptions,
  type UserClaims,
  type UserStanding,
} from './access/authenticator.ts';
export type { Refusal } from './access/refusals.ts';
export { requireRecentLogin } from './access/requirements.ts';
export { remoteKeys, toVerificationKey, type KeySource } from './access/keys.ts';
export { readBytes } from './body/bytes.ts';
export { refuseManyParameters } from './body/parameters.ts';
export {
  bind,
  PreserializedJson,
  type ResponseOf,
  type BoundRoute,
  type HandlerOf,
  type RequestOf,
  response,
} from './bind.ts';
export { readingOf } from './current-representation.ts';
export type { IdempotentRequest } from './idempotency.ts';
export { performInner, type InnerRequest, type InnerResponse } from './inner-request.ts';
export type { ReadinessCheck } from './operations.ts';
export { listCursors, paged, type Cursors, type PageRequest } from './paging.ts';
export { accepts, contentTag, isNotModified, representationTag, requireMatch, type IfMatch } from './preconditions.ts';
export { problemDocument } from './problem-response.ts';
export { requestIds, type RequestIds } from './request.ts';
export { createHttpServer, type HttpServer, type HttpServerOptions, type RawRoute } from './server.ts';
