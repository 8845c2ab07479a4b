import { audiences } from '@taskwire/contracts';
import { expect } from 'chai';
import type { Answer, Api } from './api.ts';
import { addUser, authHarness, basic, cheapPasswords, password, withSecret, type AuthHarness } from './auth-harness.ts';
import { createBrowser, pkce, type Browser, type Page } from './browser.ts';

const everything = [
  { audience: 'urn:taskwire:auth', scopes: ['account:read', 'account:write'] },
  { audience: 'urn:taskwire:tasks', scopes: ['tasks:read', 'tasks:write'] },
];
const interactive = { grant_types: ['authorization_code', 'refresh_token'], grants: everything };

/** A web application with a secret. */
export const portal = {
  ...withSecret('portal', 'a-secret-of-portal-with-32-characters', []),
  redirectUri: 'https://portal.example.org/callback',
};
const portalSettings = {
  ...portal.settings,
  ...interactive,
  client_name: 'Portal <b>',
  redirect_uris: [portal.redirectUri, 'https://portal.example.org/other'],
  post_logout_redirect_uris: ['https://portal.example.org/bye'],
};
/** A single-page application: public, identified by PKCE. */
export const spa = { client_id: 'spa', redirectUri: 'https://spa.example.org/' };
const spaSettings = { ...interactive, client_id: spa.client_id, redirect_uris: [spa.redirectUri] };
/** A desktop app on a user's machine. */
export const desktop = { client_id: 'desktop', redirectUri: 'http://127.0.0.1:7777/done' };
const desktopSettings = {
  ...interactive,
  client_id: desktop.client_id,
  application_type: 'native',
  redirect_uris: ['http://127.0.0.1/done', 'org.example.desktop:/done'],
};

/** An application for administrators, with every scope. */
export const adminConsole = {
  ...withSecret('admin-console', 'a-secret-of-admin-console-with-32-characters', []),
  redirectUri: 'https://console.example.org/callback',
};
const consoleSettings = {
  ...adminConsole.settings,
  grant_types: ['authorization_code', 'refresh_token'],
  grants: Object.entries(audiences).map(([audience, { user }]) => ({ audience, scopes: user })),
  client_name: 'Admin Console',
  redirect_uris: [adminConsole.redirectUri],
};

export type WebClient = Pick<typeof portal, 'client_id' | 'client_secret' | 'redirectUri'>;

export type Tokens = {
  access_token: string;
  refresh_token: string;
  id_token: string;
  scope: string;
  expires_in: number;
};

export type OidcHarness = AuthHarness & {
  browser(): Browser;
  person(role?: 'admin' | 'manager' | 'member'): Promise<{ id: string; email: string; password: string }>;
  /** Returns the URL to which a client sends a browser. */
  authorizeUrl(parameters: Record<string, string | undefined>): string;
  /** Logs a user in for the portal; returns the code and the values of its request. */
  code(options?: {
    person?: Person;
    browser?: Browser;
    parameters?: Record<string, string | undefined>;
    /** A client other than the portal. */
    client?: WebClient;
  }): Promise<Code>;
  /** Exchanges the code at the token endpoint, as the client to which it was issued. */
  exchange(code: Code, fields?: Record<string, string>, api?: Api): Promise<Answer>;
  tokens(options?: Parameters<OidcHarness['code']>[0]): Promise<Tokens & { person: Person }>;
  /** A request by the portal. */
  asPortal(path: string, fields: Record<string, string>, api?: Api): Promise<Answer>;
};
type Person = Awaited<ReturnType<OidcHarness['person']>>;
export type Code = { code: string; verifier: string; person: Person; page: Page; client?: WebClient };

/** Auth with clients for users. */
export async function oidcHarness(
  settings: Record<string, string> = {},
  more: object[] = [],
  overrides = { passwords: cheapPasswords() },
): Promise<OidcHarness> {
  const clients = JSON.stringify([portalSettings, spaSettings, desktopSettings, consoleSettings, ...more]);
  const harness = await authHarness({ OIDC_CLIENTS: clients, ...settings }, overrides);
  const by = basic(portal.client_id, portal.client_secret);
  const made = {
    ...harness,
    browser: () => createBrowser(harness.api.baseUrl),
    async person(role: 'admin' | 'manager' | 'member' = 'member') {
      const { id, email } = await addUser(harness, role);
      return { id, email, password };
    },
    authorizeUrl(parameters: Record<string, string | undefined>) {
      const all = {
        client_id: portal.client_id,
        redirect_uri: portal.redirectUri,
        response_type: 'code',
        scope: 'openid',
        state: 'the state',
        code_challenge_method: 'S256',
        ...parameters,
      };
      const given = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined);
      return `/oidc/authorize?${new URLSearchParams(given).toString()}`;
    },
    async code({ person, browser, parameters, client = portal }: Parameters<OidcHarness['code']>[0] = {}) {
      const who = person ?? (await made.person());
      const { verifier, challenge } = pkce();
      const own = { client_id: client.client_id, redirect_uri: client.redirectUri };
      const address = made.authorizeUrl({ code_challenge: challenge, ...own, ...parameters });
      const page = await (browser ?? made.browser()).allow(address, who);
      const code = URL.parse(page.url)?.searchParams.get('code') ?? '';
      return { code, verifier, person: who, page, client };
    },
    async exchange(
      { code, verifier, client = portal }: Code,
      fields: Record<string, string> = {},
      api: Api = harness.api,
    ) {
      const request = {
        grant_type: 'authorization_code',
        code,
        code_verifier: verifier,
        redirect_uri: client.redirectUri,
      };
      return await api.form('/oidc/token', { ...request, ...fields }, basic(client.client_id, client.client_secret));
    },
    async tokens(options?: Parameters<OidcHarness['code']>[0]) {
      const code = await made.code(options);
      const answer = await made.exchange(code);
      expect(answer.status, answer.text).to.equal(200);
      return { ...(answer.body as Tokens), person: code.person };
    },
    asPortal: async (path: string, fields: Record<string, string>, api: Api = harness.api) =>
      await api.form(path, fields, by),
  };
  return made;
}
