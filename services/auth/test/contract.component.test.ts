import { authRoutes } from '@taskwire/contracts';
import { walkAsStranger, walkFilters, walkReplays } from '@taskwire/testing';
import { expect } from 'chai';
import { mailer } from './support/account-world.ts';
import { addUser, loggedIn, logIn, password, serviceToken, tasksClient } from './support/auth-world.ts';
import { adminConsole, oidcWorld, type OidcWorld } from './support/oidc-world.ts';

type User = Awaited<ReturnType<typeof loggedIn>>;

describe('The contract of Auth', () => {
  let world: OidcWorld;
  let baseUrl: string;
  let admin: User;

  before(async () => {
    world = await oidcWorld({}, [mailer.settings, tasksClient.settings]);
    baseUrl = world.api.baseUrl;
    admin = await loggedIn(world, 'admin');
  });
  after(async () => await world.stop());

  async function rows(text: string, values: unknown[] = []): Promise<{ id: string }[]> {
    return (await world.database.db.pool.query<{ id: string }>(text, values)).rows;
  }

  async function invite(email: string): Promise<{ id: string }> {
    const answer = await world.api.call('createInvitation', { token: admin.token, body: { email } });
    expect(answer.status, answer.text).to.equal(201);
    return answer.body as { id: string };
  }

  it('replays the response of every idempotent operation', async () => {
    const prepare = {
      async getAccountLink() {
        const user = await addUser(world, 'member');
        const [link] = await rows('SELECT id FROM account_links WHERE user_id = $1', [user.id]);
        return { token: await serviceToken(world, mailer), params: { id: link?.id ?? '' } };
      },
    };
    const snapshot = async () => await rows('SELECT * FROM account_links ORDER BY id');
    const { operations, faults } = await walkReplays({ baseUrl, routes: authRoutes, prepare, snapshot });
    expect({ operations, faults }).to.deep.equal({ operations: 1, faults: [] });
  });

  it("closes every operation to a stranger to another user's account", async () => {
    const owner = await world.person();
    await logIn(world, owner.email);
    await world.tokens({ person: owner });
    const [session] = await rows('SELECT id FROM sessions WHERE user_id = $1', [owner.id]);
    const { access_token: token } = await logIn(world, owner.email);
    const consents = (await world.api.call('listConsents', { token })).body as { data: { id: string }[] };
    const invitation = await invite('stranger-walk@example.org');
    const params = { id: owner.id };
    const { operations, faults } = await walkAsStranger({
      ...{ baseUrl, routes: authRoutes, secrets: [owner.id, owner.email, invitation.id] },
      tokenOf: async () => (await loggedIn(world, 'member')).token,
      snapshot: async () => [
        await rows('SELECT * FROM users WHERE id = $1', [owner.id]),
        await rows('SELECT * FROM sessions WHERE user_id = $1 ORDER BY id', [owner.id]),
      ],
      requests: {
        getUser: { params },
        changeUser: { params, body: { name: 'Mine' } },
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
    expect(operations).to.equal(19);
  });

  it('applies every parameter of every list', async () => {
    const person = await world.person('manager');
    await logIn(world, person.email);
    await world.tokens({ person });
    await world.tokens({ person, client: adminConsole });
    const { access_token: token } = await logIn(world, person.email);
    const deleted = await addUser(world, 'member');
    await world.api.call('deleteUser', { token: admin.token, params: { id: deleted.id } });
    const { id } = await invite('revoked@example.org');
    await world.api.call('revokeInvitation', { token: admin.token, params: { id } });
    await invite('open@example.org');
    const elsewhere = { 'x-forwarded-for': '203.0.113.7' };
    await world.api.call('login', { body: { email: person.email, password: 'wrong' }, headers: elsewhere });
    const [between] = await rows('SELECT clock_timestamp()::text AS id');
    const time = new Date(between?.id ?? '').toISOString();
    await addUser(world, 'member', { email: 'latest@example.org', name: 'Latest', emailVerified: true });
    const isOwn = ['listSessions', 'listConsents'];
    const { parameters, faults } = await walkFilters({
      ...{ baseUrl, routes: authRoutes },
      async tokenOf({ operationId, access }) {
        if (access.kind === 'service') return await serviceToken(world);
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
