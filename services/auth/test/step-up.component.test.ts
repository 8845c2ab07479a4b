import { expect } from 'chai';
import { authRoutes } from '@taskwire/contracts';
import { decodeJwt } from 'jose';
import { expectProblem, type Answer } from './support/api.ts';
import { addUser, loggedIn, password } from './support/auth-harness.ts';
import { oidcHarness, type OidcHarness } from './support/oidc-harness.ts';
import { signed } from './support/stand-in-tokens.ts';

type Operation = keyof typeof authRoutes;
type User = { id: string; email: string; role: string; version: number };
type LoggedIn = Awaited<ReturnType<typeof loggedIn>>;
type Role = LoggedIn['role'];

/** An operation that a user can't undo, or that grants rights or access to an account. */
type Sensitive = {
  what: string;
  operation: Operation;
  /** The account that the operation acts on; undefined if it creates one. */
  target?: () => Promise<User>;
  body?: Record<string, unknown>;
  /** The status of a successful response. */
  status: number;
  /** Whether the operation acts on the caller's own account. */
  isOwn?: true;
  /** Whether applications may never call the operation, however recent the log-in. */
  isForPeopleOnly?: true;
};

describe('step-up', () => {
  let harness: OidcHarness;
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
    harness = await oidcHarness(settings, [console]);
    admin = await loggedIn(harness, 'admin');
    // so that the caller is never the last admin
    await addUser(harness, 'admin');
  });
  after(async () => {
    await harness.stop();
  });

  const rows = async <R extends object>(text: string, values: unknown[] = []) =>
    (await harness.database.db.pool.query<R>(text, values)).rows;
  const user = async (role: Role) => (await addUser(harness, role)) as User;
  let made = 0;
  const account = (role: Role) => ({ email: `made-${(made += 1)}@example.org`, password, name: 'Made', role });
  let networks = 0;
  /** A new network address, so that the limits of other tests don't apply. */
  const freshIp = () => ({ 'x-forwarded-for': `203.0.113.${(networks += 1)}` });

  async function deleted(role: Role = 'member'): Promise<User> {
    const gone = await user(role);
    const answer = await harness.api.call('deleteUser', { token: admin.token, params: { id: gone.id } });
    expect(answer.status, answer.text).to.equal(204);
    return gone;
  }

  before(() => {
    sensitive = [
      { what: 'deletes another user', operation: 'deleteUser', target: async () => user('member'), status: 204 },
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
        what: "changes another user's address",
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

  /** A token of the caller, who logged in this many seconds ago. */
  async function token(
    caller: LoggedIn,
    { secondsAgo = 0, client = 'first-party', scope = '' }: { secondsAgo?: number; client?: string; scope?: string },
  ): Promise<string> {
    return await signed(harness, {
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

  /** Attempts the operation as a new admin. Returns the response, and whether anything changed. */
  async function attempt({ case_, secondsAgo = 0, client, sentPassword }: Attempt) {
    const caller = await loggedIn(harness, 'admin');
    const target = case_.isOwn === true ? caller : await case_.target?.();
    const body = {
      ...case_.body,
      ...(case_.body?.['email'] === undefined ? {} : { email: `try-${(made += 1)}@example.org` }),
      ...(sentPassword === undefined ? {} : { current_password: sentPassword }),
    };
    const before = await state();
    const answer: Answer = await harness.api.call(case_.operation, {
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

  it('refuses each of them with a wrong password, even after a recent log-in', async () => {
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
    const caller = await loggedIn(harness, 'admin');
    const headers = freshIp();
    const remove = async (sent: string) =>
      await harness.api.call('deleteUser', {
        token: caller.token,
        params: { id: caller.id },
        body: { current_password: sent },
        headers,
      });
    for (let count = 0; count < 3; count++) expectProblem(await remove('wrong'), 'wrong_password');
    expect((await remove(password)).status).to.equal(429);
    const login = await harness.api.call('login', { body: { email: caller.email, password }, headers });
    expect(login.status).to.equal(429);
  });

  it('is not required for reversible actions', async () => {
    const caller = await loggedIn(harness, 'admin');
    const old = await token(caller, { secondsAgo: 3_600 });
    const other = await user('member');
    const params = { id: other.id };
    expect((await harness.api.call('createUser', { token: old, body: account('member') })).status).to.equal(201);
    expect((await harness.api.call('changeUser', { token: old, params, body: { name: 'Other' } })).status).to.equal(
      200,
    );
    expect((await harness.api.call('listUsers', { token: old })).status).to.equal(200);
  });

  it('checks a password that is sent although none is required', async () => {
    const caller = await loggedIn(harness, 'member');
    const wrong = { token: caller.token, params: { id: caller.id }, body: { name: 'X', current_password: 'wrong' } };
    expectProblem(await harness.api.call('changeUser', wrong), 'wrong_password');
  });

  it('follows the check of permissions', async () => {
    const member = await loggedIn(harness, 'member');
    const old = await token(member, { secondsAgo: 3_600 });
    const params = { id: admin.id };
    expectProblem(await harness.api.call('deleteUser', { token: old, params }), 'forbidden');
    expectProblem(await harness.api.call('changeUser', { token: old, params, body: { role: 'member' } }), 'forbidden');
    expectProblem(await harness.api.call('restoreUser', { token: old, params }), 'forbidden');
    expectProblem(await harness.api.call('createUser', { token: old, body: account('admin') }), 'forbidden');
  });
});
