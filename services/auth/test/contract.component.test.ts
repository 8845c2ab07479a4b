import { authRoutes } from '@taskwire/contracts';
import { walkAsStranger, walkFilters, walkReplays } from '@taskwire/testing';
import { expect } from 'chai';
import { mailer } from './support/account-harness.ts';
import { addUser, loggedIn, logIn, password, serviceToken, tasksClient } from './support/auth-harness.ts';
import { adminConsole, oidcHarness, type OidcHarness } from './support/oidc-harness.ts';

type User = Awaited<ReturnType<typeof loggedIn>>;

describe('The contract of Auth', () => {
  let harness: OidcHarness;
  let baseUrl: string;
  let admin: User;

  before(async () => {
    harness = await oidcHarness({}, [mailer.settings, tasksClient.settings]);
    baseUrl = harness.api.baseUrl;
    admin = await loggedIn(harness, 'admin');
  });
  after(async () => await harness.stop());

  async function rows(text: string, values: unknown[] = []): Promise<{ id: string }[]> {
    return (await harness.database.db.pool.query<{ id: string }>(text, values)).rows;
  }

  async function invite(email: string): Promise<{ id: string }> {
    const answer = await harness.api.call('createInvitation', { token: admin.token, body: { email } });
    expect(answer.status, answer.text).to.equal(201);
    return answer.body as { id: string };
  }

  it('replays the response of every idempotent operation', async () => {
    const prepare = {
      async getAccountLink() {
        const user = await addUser(harness, 'member');
        const [link] = await rows('SELECT id FROM account_links WHERE user_id = $1', [user.id]);
        return { token: await serviceToken(harness, mailer), params: { id: link?.id ?? '' } };
      },
    };
    const snapshot = async () => await rows('SELECT * FROM account_links ORDER BY id');
    const { operations, faults } = await walkReplays({ baseUrl, routes: authRoutes, prepare, snapshot });
    expect({ operations, faults }).to.deep.equal({ operations: 1, faults: [] });
  });

  it("rejects a stranger to another user's account in every operation", async () => {
    const owner = await harness.person();
    await logIn(harness, owner.email);
    await harness.tokens({ person: owner });
    const [session] = await rows('SELECT id FROM sessions WHERE user_id = $1', [owner.id]);
    const { access_token: token } = await logIn(harness, owner.email);
    const consents = (await harness.api.call('listConsents', { token })).body as { data: { id: string }[] };
    const invitation = await invite('stranger-walk@example.org');
    const params = { id: owner.id };
    const { operations, faults } = await walkAsStranger({
      ...{ baseUrl, routes: authRoutes, secrets: [owner.id, owner.email, invitation.id] },
      tokenOf: async () => (await loggedIn(harness, 'member')).token,
      snapshot: async () => [
        await rows('SELECT * FROM users WHERE id = $1', [owner.id]),
        await rows('SELECT * FROM sessions WHERE user_id = $1 ORDER BY id', [owner.id]),
      ],
      requests: {
        getUser: { params },
        'changeUser name': { params, body: { name: 'Mine' } },
        'changeUser email': { params, body: { email: 'mine@example.org' } },
        'changeUser role': { params, body: { role: 'member' } },
        deleteUser: { params },
        restoreUser: { params },
        createUser: { body: { email: 'new@example.org', password, name: 'New', role: 'member' } },
        changePassword: { body: { current_password: password, new_password: 'a much better horse battery' } },
        reauthenticate: { body: { current_password: password } },
        createInvitation: { body: { email: 'invited@example.org' } },
        revokeInvitation: { params: { id: invitation.id } },
        endSession: { params: { id: session?.id ?? '' } },
        endConsent: { params: { id: consents.data[0]?.id ?? '' } },
      },
    });
    expect(faults).to.deep.equal([]);
    expect(operations).to.equal(21);
  });

  it('applies every parameter of every list', async () => {
    const person = await harness.person('manager');
    await logIn(harness, person.email);
    await harness.tokens({ person });
    await harness.tokens({ person, client: adminConsole });
    const { access_token: token } = await logIn(harness, person.email);
    const deleted = await addUser(harness, 'member');
    await harness.api.call('deleteUser', { token: admin.token, params: { id: deleted.id } });
    const { id } = await invite('revoked@example.org');
    await harness.api.call('revokeInvitation', { token: admin.token, params: { id } });
    await invite('open@example.org');
    const elsewhere = { 'x-forwarded-for': '203.0.113.7' };
    await harness.api.call('login', { body: { email: person.email, password: 'wrong' }, headers: elsewhere });
    const [between] = await rows('SELECT clock_timestamp()::text AS id');
    const time = new Date(between?.id ?? '').toISOString();
    await addUser(harness, 'member', { email: 'latest@example.org', name: 'Latest', emailVerified: true });
    const isOwn = ['listSessions', 'listConsents'];
    const { parameters, faults } = await walkFilters({
      ...{ baseUrl, routes: authRoutes },
      async tokenOf({ operationId, access }) {
        if (access.kind === 'service') return await serviceToken(harness);
        return isOwn.includes(operationId) ? token : admin.token;
      },
      values: {
        listUsers: {
          ...{ role: ['manager'], q: ['LATEST'], email_verified: ['true', 'false'] },
          ...{ created_since: [time], created_until: [time], updated_since: [time], updated_until: [time] },
          ...{ deleted: ['true'], sort: ['-created_at'] },
        },
        listInvitations: { state: ['open', 'revoked'] },
        listAudit: {
          ...{ actor: [admin.id], subject: [person.id], client: ['first-party'], action: ['login', 'user.delete'] },
          ...{ outcome: ['success', 'failure'], ip: ['203.0.113.0/24'], since: [time], until: [time] },
        },
        listInternalUsers: { updated_since: [time] },
      },
    });
    expect(faults).to.deep.equal([]);
    expect(parameters).to.equal(31);
  });
});
