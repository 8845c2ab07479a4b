import { expect } from 'chai';
import { authRoutes } from '@taskwire/contracts';
import { query } from '@taskwire/postgres';
import { waitFor } from '@taskwire/testing';
import { decodeJwt } from 'jose';
import { expectProblem, type Answer } from './support/api.ts';
import { addUser, loggedIn, logIn, password } from './support/auth-world.ts';
import { createBrowser } from './support/browser.ts';
import { loggedInBrowser } from './support/logged-in-browser.ts';
import { oidcWorld, portal, type OidcWorld, type Tokens } from './support/oidc-world.ts';
import { signed } from './support/stand-in-tokens.ts';

type Operation = keyof typeof authRoutes;
type User = { id: string; email: string; role: string; version: number };
type LoggedIn = Awaited<ReturnType<typeof loggedIn>>;
type Role = LoggedIn['role'];
type Session = { access_token: string; refresh_token: string; user: User };

/** What a person cannot undo, and what gives rights or the way into an account. */
type Sensitive = {
  what: string;
  operation: Operation;
  /** Whose account it is done to; undefined where an account is made. */
  target?: () => Promise<User>;
  body?: Record<string, unknown>;
  /** The status of success. */
  status: number;
  /** Whether it is done to the caller's own account. */
  isOwn?: true;
  /** Whether no application may do it, however fresh the log-in is. */
  isForPeopleOnly?: true;
};

describe('step-up', () => {
  let world: OidcWorld;
  let admin: LoggedIn;
  let sensitive: Sensitive[];

  before(async () => {
    const administrates = [{ audience: 'urn:taskwire:auth', scopes: ['account:read', 'account:write', 'admin'] }];
    const console = {
      client_id: 'console',
      grant_types: ['authorization_code', 'refresh_token'],
      grants: administrates,
      redirect_uris: ['https://console.example.org/'],
    };
    const settings = { PROCESS_ROLE: 'api', LOGIN_FAILURES_PER_ACCOUNT_AND_IP: '3' };
    world = await oidcWorld(settings, [console]);
    admin = await loggedIn(world, 'admin');
    // so that the one who acts is never the last
    await addUser(world, 'admin');
  });
  after(async () => {
    await world.stop();
  });

  const rows = async <R extends object>(text: string, values: unknown[] = []) =>
    (await world.database.db.pool.query<R>(text, values)).rows;
  const user = async (role: Role) => (await addUser(world, role)) as User;
  let made = 0;
  const account = (role: Role) => ({ email: `made-${(made += 1)}@example.org`, password, name: 'Made', role });
  let networks = 0;
  /** An address that nobody came from before, so that no limit of another test counts. */
  const freshIp = () => ({ 'x-forwarded-for': `203.0.113.${(networks += 1)}` });

  async function deleted(role: Role = 'member'): Promise<User> {
    const gone = await user(role);
    const answer = await world.api.call('deleteUser', { token: admin.token, params: { id: gone.id } });
    expect(answer.status, answer.text).to.equal(204);
    return gone;
  }

  before(() => {
    sensitive = [
      { what: 'deletes somebody else', operation: 'deleteUser', target: async () => user('member'), status: 204 },
      { what: 'deletes their own account', operation: 'deleteUser', status: 204, isOwn: true, isForPeopleOnly: true },
      {
        what: 'gives a role',
        operation: 'changeUser',
        target: async () => user('member'),
        body: { role: 'admin' },
        status: 200,
      },
      {
        what: 'takes a role',
        operation: 'changeUser',
        target: async () => user('manager'),
        body: { role: 'member', name: 'Renamed' },
        status: 200,
      },
      {
        what: "changes somebody else's address",
        operation: 'changeUser',
        target: async () => user('member'),
        body: { email: 'thief@example.org' },
        status: 200,
        isForPeopleOnly: true,
      },
      { what: 'creates an admin', operation: 'createUser', body: account('admin'), status: 201 },
      { what: 'creates a manager', operation: 'createUser', body: account('manager'), status: 201 },
      { what: 'restores a deleted user', operation: 'restoreUser', target: async () => deleted(), status: 200 },
    ];
  });

  /** A token of the caller whose log-in was so many seconds ago. */
  async function token(
    caller: LoggedIn,
    { secondsAgo = 0, client = 'first-party', scope = '' }: { secondsAgo?: number; client?: string; scope?: string },
  ): Promise<string> {
    return await signed(world, {
      sub: caller.id,
      client_id: client,
      aud: 'urn:taskwire:auth',
      role: caller.role,
      sid: String(decodeJwt(caller.token)['sid']),
      scope,
      auth_time: Math.floor(Date.now() / 1000) - secondsAgo,
    });
  }

  /** Everything that an attack could have changed. */
  const state = async () =>
    await rows(`SELECT id, email, name, role, version, deleted_at, password_hash FROM users ORDER BY id`);

  type Attempt = { case_: Sensitive; secondsAgo?: number; client?: string; sentPassword?: string };

  /** Tries it as an admin of its own, and gives the answer and whether anything changed. */
  async function attempt({ case_, secondsAgo = 0, client, sentPassword }: Attempt) {
    const caller = await loggedIn(world, 'admin');
    const target = case_.isOwn === true ? caller : await case_.target?.();
    const body = {
      ...case_.body,
      ...(case_.body?.['email'] === undefined ? {} : { email: `try-${(made += 1)}@example.org` }),
      ...(sentPassword === undefined ? {} : { current_password: sentPassword }),
    };
    const before = await state();
    const answer: Answer = await world.api.call(case_.operation, {
      token: await token(caller, {
        secondsAgo,
        ...(client === undefined ? {} : { client, scope: 'account:write admin' }),
      }),
      params: { id: target?.id ?? '' },
      headers: freshIp(),
      ...(Object.keys(body).length === 0 ? {} : { body }),
    });
    const hasChanged = JSON.stringify(await state()) !== JSON.stringify(before);
    return { answer, hasChanged, caller };
  }

  it('covers every operation whose contract requires it', () => {
    const declared = (Object.keys(authRoutes) as Operation[]).filter((operation) => {
      const { problems = [], access } = authRoutes[operation] as { problems?: readonly string[]; access: object };
      return problems.includes('reauthentication_required') || 'recentLogin' in access;
    });
    expect(new Set(sensitive.map(({ operation }) => operation))).to.deep.equal(new Set(declared));
  });

  it('stops a stolen token that is older than five minutes at each of them', async () => {
    for (const case_ of sensitive) {
      const { answer, hasChanged, caller } = await attempt({ case_, secondsAgo: 301 });
      expect(answer.status, case_.what).to.equal(403);
      expect(expectProblem(answer, 'reauthentication_required').detail, case_.what).to.include('current_password');
      expect(answer.headers.get('www-authenticate')).to.include('error="insufficient_user_authentication"');
      expect(answer.headers.get('www-authenticate')).to.include('max_age="300"');
      expect(hasChanged, case_.what).to.equal(false);
      const refused = await rows(
        "SELECT FROM audit_log WHERE actor_id = $1 AND outcome = 'failure' AND reason = 'reauthentication_required'",
        [caller.id],
      );
      expect(refused, case_.what).to.have.length(1);
    }
  });

  it('allows each of them within five minutes of a log-in', async () => {
    for (const case_ of sensitive) {
      const { answer } = await attempt({ case_, secondsAgo: 290 });
      expect(answer.status, `${case_.what}: ${answer.text}`).to.equal(case_.status);
    }
  });

  it('allows each of them with the password, however old the log-in', async () => {
    for (const case_ of sensitive) {
      const { answer } = await attempt({ case_, secondsAgo: 86_400, sentPassword: password });
      expect(answer.status, `${case_.what}: ${answer.text}`).to.equal(case_.status);
    }
  });

  it('refuses each of them with a wrong password, also after a recent log-in', async () => {
    for (const case_ of sensitive) {
      for (const secondsAgo of [0, 301]) {
        const { answer, hasChanged } = await attempt({ case_, secondsAgo, sentPassword: 'not the password' });
        expect(answer.status, case_.what).to.equal(422);
        expect(expectProblem(answer, 'wrong_password').errors?.[0]?.field).to.equal('current_password');
        expect(hasChanged, case_.what).to.equal(false);
      }
    }
  });

  it('refuses a password sent by an application, and asks it for a new log-in', async () => {
    for (const case_ of sensitive) {
      const old = await attempt({ case_, secondsAgo: 301, client: 'console' });
      expect(old.answer.status, case_.what).to.equal(403);
      const code = case_.isForPeopleOnly === true ? 'insufficient_scope' : 'reauthentication_required';
      const { detail } = expectProblem(old.answer, code);
      if (case_.isForPeopleOnly !== true) expect(detail).to.include('max_age=300').and.not.to.include('password');
      const withPassword = await attempt({ case_, client: 'console', sentPassword: password });
      expectProblem(withPassword.answer, 'insufficient_scope');
      expect([old.hasChanged, withPassword.hasChanged], case_.what).to.deep.equal([false, false]);
      const fresh = await attempt({ case_, client: 'console' });
      expect(fresh.answer.status, case_.what).to.equal(case_.isForPeopleOnly === true ? 403 : case_.status);
    }
  });

  it('counts wrong passwords as failed log-ins, whatever the operation', async () => {
    const caller = await loggedIn(world, 'admin');
    const headers = freshIp();
    const remove = async (sent: string) =>
      await world.api.call('deleteUser', {
        token: caller.token,
        params: { id: caller.id },
        body: { current_password: sent },
        headers,
      });
    for (let count = 0; count < 3; count++) expectProblem(await remove('wrong'), 'wrong_password');
    expect((await remove(password)).status).to.equal(429);
    const login = await world.api.call('login', { body: { email: caller.email, password }, headers });
    expect(login.status).to.equal(429);
  });

  it('is not required for reversible actions', async () => {
    const caller = await loggedIn(world, 'admin');
    const old = await token(caller, { secondsAgo: 3_600 });
    const other = await user('member');
    const params = { id: other.id };
    expect((await world.api.call('createUser', { token: old, body: account('member') })).status).to.equal(201);
    expect((await world.api.call('changeUser', { token: old, params, body: { name: 'Other' } })).status).to.equal(200);
    expect((await world.api.call('listUsers', { token: old })).status).to.equal(200);
  });

  it('checks a password that is sent although none is required', async () => {
    const caller = await loggedIn(world, 'member');
    const wrong = { token: caller.token, params: { id: caller.id }, body: { name: 'X', current_password: 'wrong' } };
    expectProblem(await world.api.call('changeUser', wrong), 'wrong_password');
  });

  it('follows the check of permissions', async () => {
    const member = await loggedIn(world, 'member');
    const old = await token(member, { secondsAgo: 3_600 });
    const params = { id: admin.id };
    expectProblem(await world.api.call('deleteUser', { token: old, params }), 'forbidden');
    expectProblem(await world.api.call('changeUser', { token: old, params, body: { role: 'member' } }), 'forbidden');
    expectProblem(await world.api.call('restoreUser', { token: old, params }), 'forbidden');
    expectProblem(await world.api.call('createUser', { token: old, body: account('admin') }), 'forbidden');
  });

  describe('reauthentication', () => {
    const authTime = (session: { access_token: string }) => Number(decodeJwt(session.access_token)['auth_time']);
    const reauthenticate = async (
      accessToken: string,
      current: string = password,
      headers: Record<string, string> = freshIp(),
    ) => await world.api.call('reauthenticate', { token: accessToken, body: { current_password: current }, headers });
    const refresh = async (refreshToken: string) =>
      await world.api.call('refresh', { body: { refresh_token: refreshToken } });

    /** Somebody who logged in an hour ago. */
    async function loggedInLongAgo(role: Role = 'admin') {
      const person = await addUser(world, role);
      const session = (await logIn(world, person.email)) as unknown as Session;
      const sid = String(decodeJwt(session.access_token)['sid']);
      await rows("UPDATE sessions SET created_at = created_at - interval '1 hour' WHERE id = $1", [sid]);
      const renewed = (await refresh(session.refresh_token)).body as Session;
      return { ...renewed, sid, email: person.email };
    }

    it('keeps the session, and issues tokens with a new time of log-in', async () => {
      const before = await loggedInLongAgo();
      expect(authTime(before)).to.be.closeTo(Date.now() / 1000 - 3_600, 30);
      const answer = await reauthenticate(before.access_token);
      expect(answer.status, answer.text).to.equal(200);
      const after = answer.body as Session;
      expect(authTime(after)).to.be.closeTo(Date.now() / 1000, 30);
      expect(decodeJwt(after.access_token)).to.include({ sid: before.sid, sub: before.user.id });
      const params = { id: (await user('member')).id };
      expectProblem(
        await world.api.call('deleteUser', { token: before.access_token, params }),
        'reauthentication_required',
      );
      expect((await world.api.call('deleteUser', { token: after.access_token, params })).status).to.equal(204);
      const entries = await rows("SELECT FROM audit_log WHERE action = 'reauthenticate' AND actor_id = $1", [
        before.user.id,
      ]);
      expect(entries).to.have.length(1);
    });

    it('differs from a refresh, which keeps the time of the log-in', async () => {
      const before = await loggedInLongAgo();
      const refreshed = (await refresh(before.refresh_token)).body as Session;
      expect(authTime(refreshed)).to.equal(authTime(before));
      const after = (await reauthenticate(refreshed.access_token)).body as Session;
      const again = (await refresh(after.refresh_token)).body as Session;
      expect(authTime(again)).to.equal(authTime(after));
    });

    it('gives no fresh log-in to the thief of an earlier refresh token', async () => {
      const before = await loggedInLongAgo();
      const after = (await reauthenticate(before.access_token)).body as Session;
      expectProblem(await refresh(before.refresh_token), 'invalid_refresh_token');
      // and the owner goes on
      expect((await refresh(after.refresh_token)).status).to.equal(200);
    });

    it('gives the thief none in a race either', async () => {
      for (let round = 0; round < 10; round++) {
        const before = await loggedInLongAgo();
        const [renewed, stolen] = await Promise.all([
          reauthenticate(before.access_token),
          refresh(before.refresh_token),
        ]);
        expect(renewed.status, renewed.text).to.equal(200);
        if (stolen.status === 200) {
          const thief = stolen.body as Session;
          expect(authTime(thief)).to.be.below(Date.now() / 1000 - 3_000);
          expectProblem(await refresh(thief.refresh_token), 'invalid_refresh_token');
        } else expectProblem(stolen, 'invalid_refresh_token');
        expect((await refresh((renewed.body as Session).refresh_token)).status).to.equal(200);
      }
    });

    it('gives none to a refresh that began before, and waits for it', async () => {
      const before = await loggedInLongAgo();
      const waiting = async (count: number) =>
        await waitFor(async () => {
          const found = await rows(
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
          );
          return found.length === count;
        });
      const [renewed, stolen] = await world.database.db.transaction(async (tx) => {
        await query(tx, 'SELECT FROM sessions WHERE id = $1 FOR UPDATE', [before.sid]);
        const renewing = reauthenticate(before.access_token);
        await waiting(1);
        const refreshing = refresh(before.refresh_token);
        await waiting(2);
        return [renewing, refreshing] as const;
      });
      expect((await renewed).status).to.equal(200);
      expectProblem(await stolen, 'invalid_refresh_token');
      expect((await world.api.call('me', { token: ((await renewed).body as Session).access_token })).status).to.equal(
        200,
      );
    });

    it('requires the password, and counts wrong ones as failed log-ins', async () => {
      const before = await loggedInLongAgo();
      const headers = freshIp();
      for (let count = 0; count < 3; count++) {
        const answer = await reauthenticate(before.access_token, 'wrong', headers);
        expect(expectProblem(answer, 'wrong_password').status).to.equal(422);
      }
      expect((await reauthenticate(before.access_token, password, headers)).status).to.equal(429);
      const [entry] = await rows<{ reason: string }>(
        "SELECT reason FROM audit_log WHERE action = 'reauthenticate' AND subject_id = $1 AND outcome = 'failure' LIMIT 1",
        [before.user.id],
      );
      expect(entry?.reason).to.equal('wrong_password');
    });

    it('is reserved for the first party', async () => {
      const tokens = await consoleTokens({});
      expectProblem(await reauthenticate(tokens.access_token), 'insufficient_scope');
    });
  });

  async function consoleTokens(parameters: Record<string, string>): Promise<Tokens> {
    return await world.tokens({
      parameters: { scope: 'openid account:write offline_access', resource: 'urn:taskwire:auth', ...parameters },
    });
  }

  describe('step-up for applications', () => {
    const wanted = { scope: 'openid account:read', resource: 'urn:taskwire:auth' };
    const authTime = (tokens: Tokens) => Number(decodeJwt(tokens.access_token)['auth_time']);

    it('requires a new log-in by prompt=login or max_age, and no earlier one counts', async () => {
      for (const parameters of [{ prompt: 'login' }, { max_age: '300' }]) {
        const { browser, person } = await loggedInBrowser(world, 3_600);
        const asked = async (more: Record<string, string>) => {
          const code = await world.code({ browser, person, parameters: { ...wanted, ...more } });
          return (await world.exchange(code)).body as Tokens;
        };
        expect(authTime(await asked({}))).to.be.closeTo(Date.now() / 1000 - 3_600, 60);
        const after = await asked(parameters);
        expect(authTime(after)).to.be.closeTo(Date.now() / 1000, 60);
      }
    });

    it('is not satisfied by a refresh', async () => {
      const browser = createBrowser(world.api.baseUrl);
      const parameters = { scope: 'openid account:read offline_access', prompt: 'consent', resource: wanted.resource };
      const tokens = await world.tokens({ browser, parameters });
      await rows(
        `UPDATE refresh_tokens
         SET payload = jsonb_set(payload::jsonb, '{authTime}', to_jsonb((payload->>'authTime')::bigint - 3600))::json
         WHERE session_id IN (SELECT id FROM sessions WHERE user_id = $1)`,
        [tokens.person.id],
      );
      const fields = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token };
      const refreshed = (await world.asPortal('/oidc/token', fields)).body as Tokens;
      expect(authTime(refreshed)).to.equal(authTime(tokens) - 3_600);
      expect(portal.client_id).to.equal(decodeJwt(refreshed.access_token)['client_id']);
    });
  });
});
