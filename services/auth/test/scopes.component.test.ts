import { authRoutes, type AuditEntry } from '@taskwire/contracts';
import { walkScopes, type TokenHolder } from '@taskwire/testing';
import { expect } from 'chai';
import { decodeJwt } from 'jose';
import { expectProblem, type Answer } from './support/api.ts';
import { addUser, loggedIn, logIn, password } from './support/auth-harness.ts';
import { adminConsole, oidcHarness, type OidcHarness } from './support/oidc-harness.ts';
import { signed } from './support/stand-in-tokens.ts';

const audience = 'urn:taskwire:auth';

type Role = 'admin' | 'manager' | 'member';
type Operation = Parameters<OidcHarness['api']['call']>[0];
type Given = NonNullable<Parameters<OidcHarness['api']['call']>[1]>;

describe('the rights of an application acting for a user', () => {
  let harness: OidcHarness;
  before(async () => {
    harness = await oidcHarness();
  });
  after(async () => {
    await harness.stop();
  });

  let present: { id: string; token: string } | undefined;

  /** An admin with a session, the same one until an operation has ended the session. */
  async function presentAdmin(): Promise<{ id: string; token: string }> {
    const isPresent = present !== undefined && (await harness.api.call('me', { token: present.token })).status === 200;
    if (!isPresent || present === undefined) present = await loggedIn(harness, 'admin');
    return present;
  }

  /** A token with the given scopes, of an existing admin and session. */
  async function tokenOf(holder: TokenHolder): Promise<{ token: string; userId: string }> {
    if (holder.kind === 'service') {
      const scope = holder.scopes.join(' ');
      const token = await signed(harness, { sub: 'reporter', client_id: 'reporter', aud: audience, scope });
      return { token, userId: crypto.randomUUID() };
    }
    const { id: userId, token } = await presentAdmin();
    if (holder.kind === 'first_party') return { token, userId };
    const { sid } = decodeJwt(token);
    const claims = { sub: userId, client_id: 'portal', aud: audience, role: 'admin', sid: String(sid) } as const;
    const said = { scope: holder.scopes.join(' '), auth_time: Math.floor(Date.now() / 1000) };
    return { token: await signed(harness, { ...claims, ...said }), userId };
  }

  it('match the contract for every operation of Auth and every scope', async () => {
    const { answers, faults } = await walkScopes({
      ...{ baseUrl: harness.api.baseUrl, audience, routes: authRoutes, tokenOf },
      bodies: {
        changeUser: { name: 'Another' },
        createUser: { email: 'x', password: 'x', name: 'x', role: 'admin' },
        changePassword: { current_password: 'x', new_password: 'x' },
      },
    });
    expect(answers).to.be.above(130);
    expect(faults).to.deep.equal([]);
  });

  /** The token that an application obtains after the user's consent. */
  async function application(role: Role, scope: string) {
    const person = await harness.person(role);
    const parameters = { scope, resource: audience };
    const { access_token: token } = await harness.tokens({ person, parameters, client: adminConsole });
    return {
      person,
      token,
      call: async (operation: Operation, given: Given = {}): Promise<Answer> =>
        await harness.api.call(operation, { token, ...given }),
    };
  }

  const theRest: [Operation, Given][] = [
    ['changePassword', { body: { current_password: password, new_password: 'Another-Kettle-92' } }],
    ['logoutEverywhere', {}],
  ];

  for (const role of ['admin', 'member'] as const) {
    it(`with account:read and account:write are limited to reading and renaming the account of a ${role}`, async () => {
      const { call, person } = await application(role, 'openid account:read account:write');
      const other = await addUser(harness, 'member');
      const own = { params: { id: person.id } };
      expect((await call('me')).status).to.equal(200);
      expect((await call('getUser', own)).status).to.equal(200);
      expect((await call('changeUser', { ...own, body: { name: 'Renamed' } })).status).to.equal(200);
      const refused: [Operation, Given][] = [
        ...theRest,
        ['listUsers', {}],
        ['listAudit', {}],
        [
          'createUser',
          { body: { email: 'evil@example.org', password: 'Sunflower-Kettle-92', name: 'E', role: 'admin' } },
        ],
        ['getUser', { params: { id: other.id } }],
        ['changeUser', { params: { id: other.id }, body: { name: 'Renamed' } }],
        ['changeUser', { params: { id: other.id }, body: { role: 'admin' } }],
        ['changeUser', { ...own, body: { role: 'manager' } }],
        ['changeUser', { ...own, body: { name: 'Again', role: 'manager' } }],
        ['changeUser', { ...own, body: { email: 'evil@example.org' } }],
        ['deleteUser', own],
        ['deleteUser', { params: { id: other.id } }],
        ['endSession', own],
        ['endConsent', own],
      ];
      for (const [operation, given] of refused) {
        const answer = await call(operation, given);
        expectProblem(answer, 'insufficient_scope');
        expect(answer.headers.get('www-authenticate') ?? 'Bearer', operation).to.match(/^Bearer/);
      }
      const { body } = await harness.api.call('getUser', {
        token: (await logIn(harness, person.email)).access_token,
        params: { id: person.id },
      });
      expect(body).to.include({ role, email: person.email, name: 'Renamed' });
      expect(
        (await harness.database.db.pool.query("SELECT FROM users WHERE email = 'evil@example.org'")).rowCount,
      ).to.equal(0);
    });
  }

  it("with admin allow administration within the role, but no access to address, password or account of the application's own user", async () => {
    const { call, person } = await application('admin', 'openid admin');
    const other = await addUser(harness, 'member');
    const at = { params: { id: other.id } };
    expect((await call('listUsers')).status).to.equal(200);
    expect((await call('listAudit')).status).to.equal(200);
    expect((await call('getUser', at)).status).to.equal(200);
    expect((await call('changeUser', { ...at, body: { role: 'manager' } })).status).to.equal(200);
    expectProblem(await call('me'), 'insufficient_scope');
    const refused: [Operation, Given][] = [
      ...theRest,
      ['changeUser', { ...at, body: { email: 'taken-over@example.org' } }],
      ['deleteUser', { params: { id: person.id } }],
    ];
    for (const [operation, given] of refused) expectProblem(await call(operation, given), 'insufficient_scope');
    expect((await call('deleteUser', at)).status).to.equal(204);
  });

  it("with admin give a manager's application no more than managers have", async () => {
    const { call } = await application('manager', 'openid admin');
    const other = await addUser(harness, 'member');
    const at = { params: { id: other.id } };
    expect((await call('listUsers')).status).to.equal(200);
    expect((await call('getUser', at)).status).to.equal(200);
    const refused: [Operation, Given][] = [
      ['listAudit', {}],
      ['createUser', { body: { email: 'm@example.org', password: 'Sunflower-Kettle-92', name: 'M', role: 'member' } }],
      ['changeUser', { ...at, body: { name: 'Renamed' } }],
      ['changeUser', { ...at, body: { role: 'admin' } }],
      ['deleteUser', at],
    ];
    for (const [operation, given] of refused) expectProblem(await call(operation, given), 'forbidden');
  });

  it('include ending its own access, and no other session', async () => {
    const { call, token, person } = await application('member', 'openid account:write');
    const session = await logIn(harness, person.email);
    expect((await call('logout')).status).to.equal(204);
    expectProblem(await harness.api.call('me', { token }), 'access_revoked');
    expect((await harness.api.call('me', { token: session.access_token })).status).to.equal(200);
  });

  it("don't change what userinfo and introspection return", async () => {
    const { token, person } = await application('member', 'openid account:read');
    const { body } = await harness.api.form(
      '/oidc/introspect',
      { token },
      {
        authorization: `Basic ${Buffer.from(`${adminConsole.client_id}:${adminConsole.client_secret}`).toString('base64')}`,
      },
    );
    const scope = 'openid account:read';
    expect(body).to.include({ active: true, sub: person.id, client_id: adminConsole.client_id, scope });
    const opaque = await harness.tokens({ person, parameters: { scope: 'openid email' } });
    const info = await harness.api.raw('/oidc/userinfo', {
      headers: { authorization: `Bearer ${opaque.access_token}` },
    });
    expect(info.body).to.deep.equal({ sub: person.id, email: person.email, email_verified: false });
  });

  it('are recorded in the audit log with the application', async () => {
    const { call, person } = await application('member', 'openid account:write');
    await call('changeUser', { params: { id: person.id }, body: { name: 'By the console' } });
    const { token } = await loggedIn(harness, 'admin');
    const query = { subject: person.id, action: 'user.change' };
    const { data } = (await harness.api.call('listAudit', { token, query })).body as { data: AuditEntry[] };
    expect(data[0]).to.deep.include({ actor: { kind: 'user', id: person.id }, client_id: adminConsole.client_id });
  });
});
