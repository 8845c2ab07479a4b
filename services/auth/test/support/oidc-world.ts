import { expect } from 'chai';
import type { Answer, Api } from './api.ts';
import { addUser, authWorld, basic, cheapPasswords, password, withSecret, type AuthWorld } from './auth-world.ts';
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
/** A single-page application: public, known by PKCE. */
export const spa = { client_id: 'spa', redirectUri: 'https://spa.example.org/' };
const spaSettings = { ...interactive, client_id: spa.client_id, redirect_uris: [spa.redirectUri] };
/** An app on somebody's machine. */
export const desktop = { client_id: 'desktop', redirectUri: 'http://127.0.0.1:7777/done' };
const desktopSettings = {
  ...interactive,
  client_id: desktop.client_id,
  application_type: 'native',
  redirect_uris: ['http://127.0.0.1/done', 'org.example.desktop:/done'],
};

export type Tokens = {
  access_token: string;
  refresh_token: string;
  id_token: string;
  scope: string;
  expires_in: number;
};

export type OidcWorld = AuthWorld & {
  browser(): Browser;
  person(role?: 'admin' | 'manager' | 'member'): Promise<{ id: string; email: string; password: string }>;
  /** The address that a client sends a browser to. */
  authorizeUrl(parameters: Record<string, string | undefined>): string;
  /** Logs somebody in for the portal, and gives the code with what it was asked for. */
  code(options?: {
    person?: Person;
    browser?: Browser;
    parameters?: Record<string, string | undefined>;
  }): Promise<Code>;
  /** Exchanges it at the token endpoint, as the portal. */
  exchange(code: Code, fields?: Record<string, string>, api?: Api): Promise<Answer>;
  tokens(options?: Parameters<OidcWorld['code']>[0]): Promise<Tokens & { person: Person }>;
  /** A request that the portal makes. */
  asPortal(path: string, fields: Record<string, string>, api?: Api): Promise<Answer>;
};
type Person = Awaited<ReturnType<OidcWorld['person']>>;
export type Code = { code: string; verifier: string; person: Person; page: Page };

/** Auth with clients for people. */
export async function oidcWorld(
  settings: Record<string, string> = {},
  more: object[] = [],
  overrides = { passwords: cheapPasswords() },
): Promise<OidcWorld> {
  const clients = JSON.stringify([portalSettings, spaSettings, desktopSettings, ...more]);
  const world = await authWorld({ OIDC_CLIENTS: clients, ...settings }, overrides);
  const by = basic(portal.client_id, portal.client_secret);
  const made = {
    ...world,
    browser: () => createBrowser(world.api.baseUrl),
    async person(role: 'admin' | 'manager' | 'member' = 'member') {
      const { id, email } = await addUser(world, role);
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
    async code({ person, browser, parameters }: Parameters<OidcWorld['code']>[0] = {}) {
      const who = person ?? (await made.person());
      const { verifier, challenge } = pkce();
      const address = made.authorizeUrl({ code_challenge: challenge, ...parameters });
      const page = await (browser ?? made.browser()).allow(address, who);
      const code = URL.parse(page.url)?.searchParams.get('code') ?? '';
      return { code, verifier, person: who, page };
    },
    async exchange({ code, verifier }: Code, fields: Record<string, string> = {}, api?: Api) {
      const request = {
        grant_type: 'authorization_code',
        code,
        code_verifier: verifier,
        redirect_uri: portal.redirectUri,
      };
      return await made.asPortal('/oidc/token', { ...request, ...fields }, api);
    },
    async tokens(options?: Parameters<OidcWorld['code']>[0]) {
      const code = await made.code(options);
      const answer = await made.exchange(code);
      expect(answer.status, answer.text).to.equal(200);
      return { ...(answer.body as Tokens), person: code.person };
    },
    asPortal: async (path: string, fields: Record<string, string>, api: Api = world.api) =>
      await api.form(path, fields, by),
  };
  return made;
}
