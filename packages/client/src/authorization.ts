import type { Fetch } from './attempt.ts';

/** How a source of tokens reaches Taskwire. */
export type Connection = { baseUrl: string; fetch: Fetch };

/** Where the client gets its access tokens. */
export type Authorization = {
  /** Called once, by the client that uses it. */
  connect?(connection: Connection): void;
  /**
   * The access token for a request; undefined to send none. `rejected` is a token that a service has just refused.
   *
   * @throws SignedOutError if the user must log in.
   */
  accessToken(rejected?: string): Promise<string | undefined>;
};

/** Takes access tokens from your own function. It is called for each request, and once more with the token that was refused. */
export function bearer(token: (rejected?: string) => string | Promise<string>): Authorization {
  return { accessToken: async (rejected) => await token(rejected) };
}
