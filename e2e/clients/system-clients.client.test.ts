import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { freePorts } from '@taskwire/process-supervisor';
import { expect } from 'chai';
import { authCommand } from '../auth-command.ts';
import { startClientSite } from '../chromium.ts';
import { newMember, send, type Person } from '../front-end.ts';
import { useSuite } from '../suite.ts';
import { startApache } from './apache.ts';
import { newVisitor } from './visitor.ts';

describe('Client libraries of the operating system, used as in docs/clients.md', () => {
  const suite = useSuite();
  let person: Person;
  before(async () => (person = await newMember(suite(), 'Sissy System')));

  async function register(clientId: string, redirectUri: string) {
    const said = await authCommand(
      suite(),
      ...['client', 'add', '--id', clientId, '--secret', '--redirect-uri', redirectUri],
      ...['--grant', 'urn:taskwire:tasks=tasks:read'],
    );
    return { issuer: `${suite().url}/oidc`, clientId, clientSecret: / secret (\S+)/.exec(said)?.[1] ?? '' };
  }

  async function expectApi(token: string): Promise<void> {
    expect((await send(suite().url, 'GET', '/api/v1/tasks?limit=1', { token })).status).to.equal(200);
  }

  it('mod_auth_openidc identifies the logged-in user, and has a token for the API', async () => {
    const [port] = await freePorts(1);
    const origin = `http://127.0.0.1:${port}`;
    const client = await register('apache', `${origin}/protected/callback`);
    const apache = await startApache({ ...client, origin });
    try {
      const page = await newVisitor().logInAt(`${origin}/protected/index.html`, person);
      expect(page).to.deep.include({ url: `${origin}/protected/index.html`, status: 200, text: 'protected' });
      expect(page.headers['x-user']).to.equal(person.user.email);
      await expectApi(String(page.headers['x-api']));
    } finally {
      await apache.stop();
    }
  });

  it('Authlib reads the ID token and userinfo, refreshes its token and revokes it', async () => {
    const site = await startClientSite();
    const redirectUri = `${site.origin}/callback`;
    const { issuer, clientId, clientSecret } = await register('authlib', redirectUri);
    const script = fileURLToPath(new URL('authlib_client.py', import.meta.url));
    const child = spawn('/usr/bin/python3', [script], {
      env: {
        ...{ ISSUER: issuer, CLIENT_ID: clientId, CLIENT_SECRET: clientSecret, REDIRECT_URI: redirectUri },
        AUTHLIB_INSECURE_TRANSPORT: '1', // the suite under test has no TLS
      },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const line = async () => String((await lines.next()).value ?? '');
    const back = await newVisitor().logInAt(await line(), person);
    child.stdin.end(`${back.url}\n`);
    const { claims, userinfo, api } = JSON.parse(await line()) as Record<'claims' | 'userinfo', object> & {
      api: string;
    };
    await site.close();
    const known = { sub: person.user.id, name: 'Sissy System', email: person.user.email };
    expect(claims).to.include(known);
    expect(userinfo).to.include(known);
    await expectApi(api);
  });
});
