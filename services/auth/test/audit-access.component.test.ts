import { authRoutes, type AuditEntry, type Route } from '@taskwire/contracts';
import type { Refusal } from '@taskwire/http-server';
import { listCursors } from '@taskwire/http-server';
import { expect } from 'chai';
import type { NewAuditEntry } from '../src/app/ports/audit.ts';
import { auditRefusals } from '../src/http/refusals.ts';
import { expectProblem } from './support/api.ts';
import { addUser, basic, loggedIn, logIn, password, tasksClient } from './support/auth-harness.ts';
import { adminConsole, oidcHarness, portal, type OidcHarness } from './support/oidc-harness.ts';

describe('the audit log of applications and administration', () => {
  let harness: OidcHarness;
  let admin: Awaited<ReturnType<typeof loggedIn>>;
  before(async () => {
    harness = await oidcHarness({}, [tasksClient.settings]);
    admin = await loggedIn(harness, 'admin');
  });
  after(async () => {
    await harness.stop();
  });

  async function entries(query: Record<string, string>, token = admin.token): Promise<AuditEntry[]> {
    const answer = await harness.api.call('listAudit', { token, query });
    expect(answer.status, answer.text).to.equal(200);
    return (answer.body as { data: AuditEntry[] }).data;
  }

  describe('the application of an entry', () => {
    it('is our own front end for the JSON API and our pages, and the client at the provider', async () => {
      const registered = await harness.api.call('register', {
        body: { email: 'rosa@example.org', password, name: 'Rosa' },
      });
      const person = { id: (registered.body as { id: string }).id, email: 'rosa@example.org', password };
      await harness.api.call('forgotPassword', { body: { email: person.email } });
      await harness.service.mailRequests.tick();
      const { refresh_token: own } = await logIn(harness, person.email);
      await harness.api.call('refresh', { body: { refresh_token: own } });
      const parameters = { scope: 'openid offline_access', prompt: 'consent' };
      const browser = harness.browser();
      const tokens = await harness.tokens({ person, browser, parameters });
      await harness.asPortal('/oidc/token', { grant_type: 'refresh_token', refresh_token: tokens.refresh_token });
      await harness.asPortal('/oidc/revoke', { token: tokens.refresh_token });
      const all = await entries({ limit: '100' });
      const clientsOf = (action: string, id = person.id) =>
        all
          .filter((entry) => entry.action === action && [entry.subject?.id, entry.actor?.id].includes(id))
          .map(({ client_id: client }) => client)
          .toReversed();
      expect(clientsOf('register')).to.deep.equal(['first-party']);
      expect(clientsOf('password.reset.request')).to.deep.equal(['first-party']);
      expect(clientsOf('login')).to.deep.equal(['first-party', portal.client_id]);
      expect(clientsOf('refresh')).to.deep.equal(['first-party', portal.client_id]);
      for (const action of ['consent', 'code.exchange', 'consent.revoke']) {
        expect(clientsOf(action), action).to.deep.equal([portal.client_id]);
      }
      expect(
        (await entries({ client: portal.client_id, subject: person.id })).map(({ action }) => action),
      ).to.deep.equal(['consent.revoke', 'refresh', 'code.exchange', 'login']);
      expect(await entries({ client: 'unknown' })).to.deep.equal([]);
    });

    it('is empty for the command line, the schedules, and clients that failed to authenticate', async () => {
      const user = await addUser(harness, 'member');
      const [created] = await entries({ subject: user.id });
      expect(created).to.include({ action: 'user.create', reason: 'member', client_id: null, client_request_id: null });
      await harness.api.form('/oidc/token', { grant_type: 'client_credentials' }, basic(portal.client_id, 'wrong'));
      const [refused] = await entries({ action: 'token.request', subject: portal.client_id });
      expect(refused).to.include({ reason: 'invalid_client: the secret is wrong', client_id: null });
      await harness.asPortal('/oidc/token', { grant_type: 'refresh_token', refresh_token: 'x' });
      const [known] = await entries({ action: 'token.request', actor: portal.client_id });
      expect(known).to.include({ reason: 'invalid_grant', client_id: portal.client_id });
    });
  });

  it("is recorded with the caller's request id beside ours, which callers can't choose", async () => {
    // the tests call from a trusted address, as the gateway does; the caller's id is in the second header
    const user = await addUser(harness, 'member');
    const headers = { 'x-request-id': 'of-the-gateway', 'x-client-request-id': 'of-the-caller' };
    await harness.api.call('login', { body: { email: user.email, password }, headers });
    await harness.api.call('forgotPassword', { body: { email: user.email }, headers });
    await harness.service.mailRequests.tick();
    for (const action of ['login', 'password.reset.request']) {
      const [entry] = await entries({ subject: user.id, action });
      expect(entry, action).to.include({ request_id: 'of-the-gateway', client_request_id: 'of-the-caller' });
    }
    const past = await harness.replica({ TRUSTED_PROXIES: '192.0.2.1' });
    await past.api.call('login', { body: { email: user.email, password }, headers });
    const [entry] = await entries({ subject: user.id, action: 'login' });
    expect(entry?.client_request_id).to.equal('of-the-gateway');
    expect(entry?.request_id).to.match(/^[0-9a-f-]{36}$/);
    const line = harness.logLines.find((text) => text.includes(entry?.request_id ?? '-'));
    expect(JSON.parse(line ?? '{}')).to.include({ client_request_id: 'of-the-gateway' });
  });

  describe('refused administration', () => {
    it('is recorded by role and by scope, with the actor, the subject, the application and the reason', async () => {
      const [member, other] = [await loggedIn(harness, 'member'), await addUser(harness, 'member')];
      const at = { params: { id: other.id } };
      const parameters = { scope: 'openid account:write', resource: 'urn:taskwire:auth' };
      const { access_token: third } = await harness.tokens({
        person: { ...admin, password },
        client: adminConsole,
        parameters,
      });
      await harness.api.call('listUsers', { token: member.token });
      await harness.api.call('listAudit', { token: member.token });
      await harness.api.call('changeUser', { token: member.token, ...at, body: { role: 'admin' } });
      await harness.api.call('getUser', { token: member.token, params: { id: 'not-an-id' } });
      await harness.api.call('deleteUser', { token: third, ...at });
      await harness.api.call('changePassword', {
        token: third,
        body: { current_password: password, new_password: 'Another-Kettle-92' },
      });
      const summaryOf = ({ action, subject, client_id: client, reason, outcome }: AuditEntry) => [
        ...[action, subject?.id, client, reason, outcome],
      ];
      expect((await entries({ actor: member.id, outcome: 'failure' })).toReversed().map(summaryOf)).to.deep.equal([
        ['user.read', undefined, 'first-party', 'forbidden', 'failure'],
        ['audit.read', member.id, 'first-party', 'forbidden', 'failure'],
        ['user.change', other.id, 'first-party', 'forbidden', 'failure'],
      ]);
      expect(
        (await entries({ client: adminConsole.client_id, outcome: 'failure' })).toReversed().map(summaryOf),
      ).to.deep.equal([
        ['user.delete', other.id, adminConsole.client_id, 'insufficient_scope', 'failure'],
        ['password.change', admin.id, adminConsole.client_id, 'insufficient_scope', 'failure'],
      ]);
    });

    it('is recorded for services and their tokens', async () => {
      const fields = { grant_type: 'client_credentials', resource: 'urn:taskwire:auth' };
      const answer = await harness.api.form(
        '/oidc/token',
        fields,
        basic(tasksClient.client_id, tasksClient.client_secret),
      );
      await harness.api.call('listAudit', { token: (answer.body as { access_token: string }).access_token });
      const [entry] = await entries({ actor: tasksClient.client_id, outcome: 'failure' });
      expect(entry).to.deep.include({
        action: 'audit.read',
        reason: 'forbidden',
        client_id: tasksClient.client_id,
        subject: null,
      });
    });

    it('is counted once it becomes frequent', async () => {
      const member = await loggedIn(harness, 'member');
      const headers = { 'x-forwarded-for': '198.51.100.7' };
      for (let attempt = 0; attempt < 30; attempt++) {
        expectProblem(await harness.api.call('listUsers', { token: member.token, headers }), 'forbidden');
      }
      await harness.service.refusalFlush.tick();
      const found = await entries({ actor: member.id, action: 'user.read', outcome: 'failure', limit: '100' });
      expect(found).to.have.length(21);
      expect(found[0]).to.include({ count: 10, client_id: 'first-party' });
    });

    it('is recorded for every operation that requires admin or is reserved for our own front end', async () => {
      const recorded: Omit<NewAuditEntry, 'outcome'>[] = [];
      const record = auditRefusals({ recordRefusal: async (refusal) => void recorded.push(refusal) });
      const actor: Refusal['actor'] = { kind: 'service', queues: [], clientId: 'tasks', scopes: new Set() };
      const rest = {
        actor,
        params: {},
        code: 'forbidden',
        ip: '',
        headers: {},
        requestId: '',
        clientRequestId: null,
      } as const;
      const watched = Object.values(authRoutes).filter(
        ({ access }: Route) =>
          access.kind === 'user' && (access.scopes.includes('admin') || access.firstParty === true),
      );
      expect(watched).to.have.length.above(8);
      for (const route of watched) await record({ route, ...rest });
      expect(recorded).to.have.length(watched.length);
    });
  });

  describe('tokens of services', () => {
    const ask = async (scope?: string, api = harness.api) => {
      const fields = { grant_type: 'client_credentials', ...(scope === undefined ? {} : { scope }) };
      return await api.form('/oidc/token', fields, basic(tasksClient.client_id, tasksClient.client_secret));
    };
    const issued = async () => await entries({ actor: tasksClient.client_id, action: 'token.issue' });

    it('are recorded once a day for each set of scopes, across replicas', async () => {
      const other = await harness.replica();
      await Promise.all([ask(), ask(), ask(undefined, other.api), ask('users:read', other.api)]);
      const [entry, ...more] = await issued();
      expect(more).to.deep.equal([]);
      expect(entry).to.deep.include({
        actor: { kind: 'client', id: tasksClient.client_id },
        subject: { kind: 'client', id: tasksClient.client_id },
        client_id: tasksClient.client_id,
        outcome: 'success',
        reason: 'urn:taskwire:auth users:read',
      });
    });

    it('are recorded again on the next day', async () => {
      const { pool } = harness.database.db;
      const other = await harness.replica();
      // as if the existing entries were from yesterday
      await pool.query(`DO $$ BEGIN
        PERFORM set_config('taskwire.retains_audit_log', 'on', true);
        UPDATE audit_log SET at = at - interval '1 day' WHERE action = 'token.issue';
      END $$`);
      await ask(undefined, other.api);
      expect(await issued()).to.have.length(2);
    });
  });

  describe('searches of the log', () => {
    const readings = async (id: string) =>
      (await entries({ actor: id, action: 'audit.read' })).map(({ reason }) => reason);

    it('are recorded with the filter, but without addresses', async () => {
      const reader = await loggedIn(harness, 'admin');
      await entries({}, reader.token);
      await entries({ subject: admin.id, action: 'login', ip: '192.0.2.0/24', limit: '7' }, reader.token);
      await entries({ actor: 'ann@example.org' }, reader.token);
      await entries({}, reader.token);
      expect((await readings(reader.id)).toReversed()).to.deep.equal([
        'everything',
        `subject=${admin.id}, action=login, ip`,
        'actor',
        'everything',
      ]);
      const [entry] = await entries({ actor: reader.id, action: 'audit.read' });
      expect(entry).to.deep.include({ subject: null, outcome: 'success', client_id: 'first-party' });
    });

    it('are recorded once for all pages, and a forged cursor hides no search', async () => {
      const reader = await loggedIn(harness, 'admin');
      const read = async (cursor: string | undefined, query: Record<string, string> = {}) => {
        const all = { limit: '2', ...query, ...(cursor === undefined ? {} : { cursor }) };
        const answer = await harness.api.call('listAudit', { token: reader.token, query: all });
        return (answer.body as { next_cursor: string }).next_cursor;
      };
      const second = await read(undefined);
      await read(await read(second));
      expect(await readings(reader.id)).to.deep.equal(['everything']);
      const cursors = listCursors('instant and id', { name: 'audit', filter: { action: 'login' } });
      const madeUp = cursors.encode(['2026-01-01T00:00:00.000000Z', admin.id]);
      await read(madeUp, { action: 'login' });
      await read(madeUp, { action: 'login' });
      expect((await readings(reader.id)).toReversed()).to.deep.equal(['everything', 'action=login']);
    });
  });
});
