export type { Answer, Unavailable, UnavailableReason } from './answer.ts';
export { clientSecretBasic, privateKeyJwt, type ClientAuthentication } from './client-authentication.ts';
export {
  createServiceClient,
  type GetOptions,
  type ServiceClient,
  type ServiceClientOptions,
} from './service-client.ts';
export {
  createM2mTokens,
  TokenUnavailable,
  type M2mTokensOptions,
  type TokenSource,
  type TokenWanted,
} from './tokens.ts';
export type { ServiceClientTuning } from './tuning.ts';
