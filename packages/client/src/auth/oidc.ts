import type { Authorization, Connection } from '../authorization.ts';
import { SignedOutError } from '../errors.ts';
import { base64Url, randomText } from '../random.ts';
import { thisPage, type Browser } from './browser.ts';
import { exchange } from './exchange.ts';
import { TokenKeeper } from './token-keeper.ts';
import { memoryStore, tokensOf, type Tokens } from './tokens.ts';

/** Options of a log-in through Taskwire's own pages. */
export type OidcOptions = {
  clientId: string;
  /** A page of this application, registered for the client. */
  redirectUri: string;
  scope: string;
  /** The service that the tokens are for; all of them by default, for which the client must be registered. */
  resource?: string;
  /** Called once when the session has ended. */
  onSignedOut?: () => void;
  /** The page; for tests. */
  browser?: Browser;
};

/** A log-in with authorization code and PKCE, as a public client. Tokens are only in memory. */
export type OidcSession = Authorization & {
  /**
   * Call this when the page loads: it completes a log-in, or resumes the browser's session silently. Returns whether the user is logged in; false also
   * while the page is being left for the provider.
   */
  start(): Promise<boolean>;
  /** Leaves the page to log in, and returns to this address afterwards. */
  signIn(): Promise<void>;
  signOut(): Promise<void>;
};

/** A log-in under way, kept while the page is left. */
type Pending = { state: string; verifier: string };

const pendingKey = 'taskwire.oidc.pending';
/** All services with one token. */
const everyService = 'urn:taskwire:api';

/** Set after the provider refused a silent log-in, so that no page load repeats it. */
const refusedKey = 'taskwire.oidc.refused';

export function oidc({
  clientId,
  redirectUri,
  scope,
  resource = everyService,
  onSignedOut,
  browser = thisPage(),
}: OidcOptions): OidcSession {
  let connection: Connection | undefined;
  const connected = (): Connection => {
    if (connection === undefined) throw new Error('Pass this to a client first: new Taskwire({ baseUrl, auth })');
    return connection;
  };
  const issuerOrigin = () => new URL(connected().baseUrl, browser.location.href).origin;
  const isOwnOrigin = () => issuerOrigin() === new URL(browser.location.href).origin;
  const keeper: TokenKeeper = new TokenKeeper({ store: memoryStore(), onSignedOut, renew });

  async function tokens(body: Record<string, string>): Promise<Tokens> {
    // a used refresh token returns its successor again for a few seconds, so a refresh can be repeated; a code can be used only once
    const isRepeatable = body['grant_type'] === 'refresh_token';
    const form = new URLSearchParams({ ...body, client_id: clientId, resource });
    return tokensOf(await exchange(connected(), { name: 'issueToken', path: '/oidc/token', body: form, isRepeatable }));
  }

  async function renew(held: Tokens | undefined): Promise<Tokens> {
    if (held?.refreshToken !== undefined)
      return await tokens({ grant_type: 'refresh_token', refresh_token: held.refreshToken });
    const renewed = held !== undefined && isOwnOrigin() ? await silently() : undefined;
    if (renewed !== undefined) return renewed;
    if (held !== undefined) {
      await keeper.forget();
      onSignedOut?.();
    }
    throw new SignedOutError('There is no session; log in first.');
  }

  async function authorizationUrl(prompt: string | undefined): Promise<{ url: string; pending: Pending }> {
    const verifier = randomText();
    // the address to return to is part of the state, which the provider returns unchanged
    const state = `${randomText()}.${base64Url(new TextEncoder().encode(browser.location.href))}`;
    const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier));
    const query = new URLSearchParams({
      ...{ response_type: 'code', client_id: clientId, redirect_uri: redirectUri, scope, resource, state },
      ...{ code_challenge: base64Url(new Uint8Array(digest)), code_challenge_method: 'S256' },
      ...(prompt === undefined ? {} : { prompt }),
    });
    return { url: `${connected().baseUrl}/oidc/authorize?${query.toString()}`, pending: { state, verifier } };
  }

  async function leave(prompt: string | undefined): Promise<void> {
    const { url, pending } = await authorizationUrl(prompt);
    browser.sessionStorage.setItem(pendingKey, JSON.stringify(pending));
    browser.location.assign(url);
  }

  /** On the issuer's own origin, the response to a silent request is read from the address at which the request ends. */
  async function silently(): Promise<Tokens | undefined> {
    const { url, pending } = await authorizationUrl('none');
    const response = await connected().fetch(url, { credentials: 'include' });
    const code = codeIn(response.url, pending);
    return code === undefined ? undefined : await redeem(code, pending);
  }

  function codeIn(address: string, pending: Pending): string | undefined {
    const { origin, pathname, searchParams } = new URL(address);
    const callback = new URL(redirectUri);
    if (origin !== callback.origin || pathname !== callback.pathname || searchParams.get('state') !== pending.state)
      return undefined;
    return searchParams.get('code') ?? undefined;
  }

  const redeem = (code: string, { verifier }: Pending) =>
    tokens({ grant_type: 'authorization_code', code, redirect_uri: redirectUri, code_verifier: verifier });

  /** Completes the log-in that has returned to this page; undefined if there is none. */
  async function returned(): Promise<boolean | undefined> {
    const text = browser.sessionStorage.getItem(pendingKey);
    const pending = text === null ? undefined : (JSON.parse(text) as Pending);
    const { searchParams } = new URL(browser.location.href);
    if (pending === undefined || searchParams.get('state') !== pending.state) return undefined;
    browser.sessionStorage.removeItem(pendingKey);
    const code = codeIn(browser.location.href, pending);
    browser.history.replaceState(null, '', addressIn(pending.state));
    if (code === undefined) {
      browser.sessionStorage.setItem(refusedKey, searchParams.get('error') ?? 'refused');
      return false;
    }
    browser.sessionStorage.removeItem(refusedKey);
    await keeper.accept(await redeem(code, pending));
    return true;
  }

  return {
    connect(given) {
      connection = given;
    },
    accessToken: (rejected) => keeper.accessToken(rejected),
    async start() {
      const completed = await returned();
      if (completed !== undefined) return completed;
      if (isOwnOrigin()) {
        const resumed = await silently();
        if (resumed !== undefined) await keeper.accept(resumed);
        return resumed !== undefined;
      }
      if (browser.sessionStorage.getItem(refusedKey) !== null) return false;
      await leave('none');
      return false;
    },
    // the provider issues a refresh token only if the consent page is requested
    signIn: () => leave(scope.split(' ').includes('offline_access') ? 'consent' : undefined),
    async signOut() {
      const held = await keeper.current();
      await keeper.forget();
      browser.sessionStorage.setItem(refusedKey, 'signed_out');
      if (held === undefined) return;
      const body = new URLSearchParams({ token: held.refreshToken ?? held.accessToken, client_id: clientId });
      const { baseUrl, fetch } = connected();
      await fetch(`${baseUrl}/oidc/revoke`, { method: 'POST', body }).catch(() => undefined);
    },
  };
}

function addressIn(state: string): string {
  const text = atob((state.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/'));
  return new TextDecoder().decode(Uint8Array.from(text, (character) => character.charCodeAt(0)));
}
