import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { SignJWT } from 'jose';
import { pkce } from './support/browser.ts';
import { runHere } from './support/command-line.ts';
import { oidcHarness, type OidcHarness, type WebClient } from './support/oidc-harness.ts';

describe('the command client change', () => {
  let harness: OidcHarness;
  const dir = mkdtempSync(join(tmpdir(), 'taskwire-client-'));
  before(async () => (harness = await oidcHarness()));
  after(async () => {
    await harness.stop();
    rmSync(dir, { recursive: true });
  });

  const client = async (...args: string[]) =>
    await runHere(['client', ...args], { DATABASE_URL: harness.database.url });

  const tasks = 'urn:taskwire:tasks';
  async function added(id: string, ...more: string[]): Promise<WebClient> {
    const redirectUri = `https://${id}.example.org/callback`;
    const grant = more.length === 0 ? ['--grant', `${tasks}=tasks:read,tasks:write`] : more;
    const { stdout } = await client('add', '--id', id, '--secret', '--redirect-uri', redirectUri, ...grant);
    return { client_id: id, client_secret: / secret (\S+)/.exec(stdout)?.[1] ?? '', redirectUri };
  }

  const settingsOf = async (id: string) =>
    (
      await harness.database.db.pool.query<{ settings: object }>('SELECT settings FROM clients WHERE client_id = $1', [
        id,
      ])
    ).rows[0]?.settings;

  it("replaces the given settings and keeps the rest: the secret, users' consents, and their tokens", async () => {
    const portal = await added('changing');
    const browser = harness.browser();
    const parameters = { scope: 'openid offline_access tasks:read', prompt: 'consent', resource: tasks };
    const tokens = await harness.tokens({ client: portal, browser, parameters });
    const moved = ['--redirect-uri', 'https://new.example.org/callback', '--redirect-uri', portal.redirectUri];
    const changed = await client('change', '--id', 'changing', '--name', 'Changed', ...moved);
    expect(changed).to.deep.equal({ code: 0, stdout: 'changed changing\n', stderr: '' });
    const moving = { ...portal, redirectUri: 'https://new.example.org/callback' };
    const again = await browser.open(
      harness.authorizeUrl({
        ...{
          client_id: 'changing',
          redirect_uri: moving.redirectUri,
          code_challenge: pkce().challenge,
          prompt: 'none',
        },
        ...{ scope: 'openid tasks:read', resource: tasks },
      }),
    );
    expect(again.url, 'consent is not requested again').to.match(/^https:\/\/new\.example\.org\/callback\?code=/);
    const by = { authorization: `Basic ${Buffer.from(`changing:${portal.client_secret}`).toString('base64')}` };
    const refresh = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token };
    expect((await harness.api.form('/oidc/token', refresh, by)).status).to.equal(200);
    expect(await settingsOf('changing')).to.deep.include({
      client_name: 'Changed',
      grants: [{ audience: tasks, scopes: ['tasks:read', 'tasks:write'] }],
    });
    const { rows } = await harness.database.db.pool.query<object>(
      `SELECT actor_kind, action, reason FROM audit_log WHERE subject_id = 'changing' AND action LIKE 'client.%' ORDER BY id`,
    );
    expect(rows).to.deep.equal([
      { actor_kind: 'command_line', action: 'client.add', reason: null },
      { actor_kind: 'command_line', action: 'client.change', reason: 'client_name, redirect_uris' },
    ]);
  });

  it('narrows the scopes of later refreshes', async () => {
    const portal = await added('narrowed');
    const parameters = { scope: 'openid offline_access tasks:read tasks:write', prompt: 'consent', resource: tasks };
    const { refresh_token: token } = await harness.tokens({ client: portal, parameters });
    await client('change', '--id', 'narrowed', '--grant', `${tasks}=tasks:read`);
    const by = { authorization: `Basic ${Buffer.from(`narrowed:${portal.client_secret}`).toString('base64')}` };
    const { body } = await harness.api.form('/oidc/token', { grant_type: 'refresh_token', refresh_token: token }, by);
    expect(body).to.include({ scope: 'openid offline_access tasks:read' });
  });

  it("changes scopes granted by users and the client's own scopes independently", async () => {
    const own = ['--own-grant', 'urn:taskwire:auth=users:read'];
    await added('both', '--grant', `${tasks}=tasks:read`, ...own);
    await client('change', '--id', 'both', '--grant', 'urn:taskwire:auth=account:read');
    const [auth] = [{ audience: 'urn:taskwire:auth', scopes: ['account:read'], own_scopes: ['users:read'] }];
    expect(await settingsOf('both')).to.deep.include({ grants: [auth] });
    await client('change', '--id', 'both', '--own-grant', `${tasks}=tasks:read`);
    expect(await settingsOf('both')).to.deep.include({
      grants: [
        { audience: 'urn:taskwire:auth', scopes: ['account:read'] },
        { audience: tasks, scopes: [], own_scopes: ['tasks:read'] },
      ],
    });
  });

  it("replaces a client's keys or secret with new keys", async () => {
    const portal = await added('keyed');
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const file = join(dir, 'keyed.jwks.json');
    writeFileSync(file, JSON.stringify(publicKey.export({ format: 'jwk' })));
    expect((await client('change', '--id', 'keyed', '--jwks', file)).code).to.equal(0);
    const code = await harness.code({ client: portal });
    expect((await harness.exchange(code)).status).to.equal(401);
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: 'keyed', sub: 'keyed', aud: 'http://localhost:8080/oidc', jti: pkce().verifier };
    const assertion = new SignJWT({ ...claims, iat: now, exp: now + 60 }).setProtectedHeader({ alg: 'Ed25519' });
    const answer = await harness.api.form('/oidc/token', {
      ...{ grant_type: 'authorization_code', code: code.code, code_verifier: code.verifier },
      redirect_uri: portal.redirectUri,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await assertion.sign(privateKey),
    });
    expect(answer.status, answer.text).to.equal(200);
  });

  it('changes nothing if an argument is invalid, and explains the fault', async () => {
    await added('strict');
    await client('add', '--id', 'service', '--secret', '--grant', 'urn:taskwire:auth=users:read');
    const before = [await settingsOf('strict'), await settingsOf('service')];
    const faults: [string, number, string[]][] = [
      ['--id is missing', 2, ['--name', 'x']],
      ['at least one option', 2, ['--id', 'strict']],
      ['no client unknown was added', 1, ['--id', 'unknown', '--name', 'x']],
      ['must be https', 2, ['--id', 'strict', '--redirect-uri', 'http://strict.example.org/']],
      ['"tasks:list" is not a scope', 2, ['--id', 'strict', '--grant', `${tasks}=tasks:list`]],
      ['is not an audience', 2, ['--id', 'strict', '--grant', 'urn:x=tasks:read']],
      ['has no JSON Web Key Set', 2, ['--id', 'strict', '--jwks', '/nowhere']],
      ['acts for itself', 2, ['--id', 'service', '--redirect-uri', 'https://service.example.org/']],
    ];
    for (const [fault, code, args] of faults) {
      const refused = await client('change', ...args);
      expect(refused.code, fault).to.equal(code);
      expect(refused.stderr).to.contain(fault);
    }
    expect([await settingsOf('strict'), await settingsOf('service')]).to.deep.equal(before);
  });
});
