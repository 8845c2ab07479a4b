import type { Authorization, Connection } from '../authorization.ts';
import { SignedOutError } from '../errors.ts';
import type { User } from '../generated/types.ts';
import { exchange } from './exchange.ts';
import { TokenKeeper } from './token-keeper.ts';
import { memoryStore, tokensOf, type TokenAnswer, type TokenStore } from './tokens.ts';

/** Options of a session. */
export type PasswordSessionOptions = {
  /** Keeps the tokens between reloads; by default, they are only in memory. */
  store?: TokenStore;
  /** Called once when the session has ended without `logout`. */
  onSignedOut?: () => void;
};

/** A session of Taskwire's own front ends: e-mail address and password. */
export type PasswordSession = Authorization & {
  login(email: string, password: string): Promise<User>;
  /** Ends the session here and at Taskwire. */
  logout(): Promise<void>;
  /** Whether there are tokens. Only the next call shows whether they are still valid. */
  isSignedIn(): Promise<boolean>;
};

export function passwordSession({ store, onSignedOut }: PasswordSessionOptions = {}): PasswordSession {
  let connection: Connection | undefined;
  const connected = (): Connection => {
    if (connection === undefined)
      throw new Error('Pass the session to a client first: new Taskwire({ baseUrl, auth })');
    return connection;
  };
  const keeper: TokenKeeper = new TokenKeeper({
    store: store ?? memoryStore(),
    onSignedOut,
    lock: store === undefined ? undefined : 'taskwire.session',
    async renew(tokens) {
      if (tokens?.refreshToken === undefined) throw new SignedOutError('There is no session; log in first.');
      const body = { refresh_token: tokens.refreshToken };
      return tokensOf(
        await exchange(connected(), { name: 'refresh', path: '/api/v1/auth/refresh', body, isRepeatable: true }),
      );
    },
  });
  return {
    connect(given) {
      connection = given;
    },
    accessToken: (rejected) => keeper.accessToken(rejected),
    async login(email, password) {
      const body = { email, password };
      const answer = await exchange(connected(), {
        name: 'login',
        path: '/api/v1/auth/login',
        body,
        isRepeatable: false,
      });
      await keeper.accept(tokensOf(answer));
      return (answer as TokenAnswer & { user: User }).user;
    },
    async logout() {
      const tokens = await keeper.current();
      await keeper.forget();
      if (tokens === undefined) return;
      const { baseUrl, fetch } = connected();
      const headers = { authorization: `Bearer ${tokens.accessToken}` };
      // if no response arrives, the session ends when its refresh token expires
      await fetch(`${baseUrl}/api/v1/auth/logout`, { method: 'DELETE', headers }).catch(() => undefined);
    },
    isSignedIn: async () => (await keeper.current()) !== undefined,
  };
}
