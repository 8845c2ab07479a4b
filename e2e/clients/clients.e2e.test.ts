import type { Express } from 'express';
import { expect } from 'chai';
import { authCommand } from '../auth-command.ts';
import { newMember, send, type Person } from '../front-end.ts';
import { useSuite } from '../suite.ts';
import { authJs } from './auth-js.ts';
import { startApplication, type Application, type ClientAtWork } from './client-at-work.ts';
import { useExpressOpenidConnect } from './express-openid-connect.ts';
import { usePassport } from './passport.ts';
import { useSimpleOauth2 } from './simple-oauth2.ts';
import { newVisitor, type Visitor } from './visitor.ts';

describe('Third-party client libraries, used as in docs/clients.md', () => {
  const suite = useSuite();
  let person: Person;
  let application: Application | undefined;
  before(async () => (person = await newMember(suite(), 'Cleo Client')));
  afterEach(async () => await application?.close());

  /** Registers an application with the command of docs/clients.md, and starts it. */
  async function start(clientId: string, path: string, use: (app: Express, client: ClientAtWork) => void) {
    application = await startApplication();
    const { origin, app } = application;
    const said = await authCommand(
      suite(),
      ...['client', 'add', '--id', clientId, '--secret', '--redirect-uri', `${origin}${path}`],
      ...['--grant', 'urn:taskwire:tasks=tasks:read'],
    );
    const clientSecret = / secret (\S+)/.exec(said)?.[1] ?? '';
    use(app, { issuer: `${suite().url}/oidc`, clientId, clientSecret, origin });
    return origin;
  }

  type Me = { sub?: string; name?: string; email?: string; api?: string };

  async function expectKnown({ name, email, api = '' }: Me): Promise<void> {
    expect({ name, email }).to.deep.equal({ name: 'Cleo Client', email: person.user.email });
    await expectApi(api);
  }

  async function expectApi(token: string): Promise<void> {
    expect((await send(suite().url, 'GET', '/api/v1/tasks?limit=1', { token })).status).to.equal(200);
  }

  it('Auth.js shows the logged-in user, from the ID token, and has a token for the API', async () => {
    const origin = await start(
      'auth-js',
      '/auth/callback/taskwire',
      (app, client) => void app.use('/auth', authJs(client)),
    );
    const visitor: Visitor = newVisitor();
    const { text } = await visitor.visit(`${origin}/auth/csrf`);
    const form = {
      csrfToken: (JSON.parse(text) as { csrfToken: string }).csrfToken,
      callbackUrl: `${origin}/auth/session`,
    };
    const page = await visitor.logInAt(`${origin}/auth/signin/taskwire`, person, { form });
    const session = JSON.parse(page.text) as { user: Me; api: string };
    await expectKnown({ ...session.user, api: session.api });
  });

  it('passport, with passport-oauth2, shows the logged-in user, from userinfo, and has a token for the API', async () => {
    const origin = await start('passport', '/callback', usePassport);
    const page = await newVisitor().logInAt(`${origin}/login`, person);
    expect(page.url).to.equal(`${origin}/me`);
    await expectKnown(JSON.parse(page.text) as Me);
  });

  it('express-openid-connect shows the logged-in user, and has a token for the API', async () => {
    const origin = await start('express', '/callback', useExpressOpenidConnect);
    const visitor = newVisitor();
    await visitor.logInAt(`${origin}/login`, person);
    await expectKnown(JSON.parse((await visitor.visit(`${origin}/me`)).text) as Me);
  });

  it('simple-oauth2 gets a token for the API, refreshes it and revokes it', async () => {
    const origin = await start('simple-oauth2', '/callback', useSimpleOauth2);
    const page = await newVisitor().logInAt(`${origin}/login`, person);
    await expectApi((JSON.parse(page.text) as Me).api ?? '');
  });
});
