import { expect } from 'chai';
import { authRoutes, type Route } from '@taskwire/contracts';
import { decodeJwt, SignJWT } from 'jose';
import { mailer } from './support/account-world.ts';
import { expectProblem, type Answer } from './support/api.ts';
import { authWorld, cheapPasswords, loggedIn, password, serviceToken, type AuthWorld } from './support/auth-world.ts';
import { signed } from './support/stand-in-tokens.ts';

type Operation = keyof typeof authRoutes;
type LoggedIn = Awaited<ReturnType<typeof loggedIn>>;

const operations = Object.keys(authRoutes) as Operation[];
const contract = (operation: Operation): Route => authRoutes[operation];
const withJson = operations.filter((operation) => {
  const { body, bodyType } = contract(operation);
  return body !== undefined && bodyType === undefined;
});
const guarded = operations.filter((operation) => contract(operation).access.kind !== 'anyone');
const forUsers = operations.filter((operation) => contract(operation).access.kind === 'user');
const forServices = operations.filter((operation) => contract(operation).access.kind === 'service');
const withId = operations.filter((operation) => contract(operation).params !== undefined);
const lists = ['listUsers', 'listInternalUsers'] as const;

/** A body that each operation takes. */
const good: Partial<Record<Operation, Record<string, unknown>>> = {
  register: { email: 'good@example.org', password, name: 'Good' },
  login: { email: 'good@example.org', password },
  refresh: { refresh_token: 'twr_x' },
  forgotPassword: { email: 'good@example.org' },
  resetPassword: { token: 'twl_x', new_password: password },
  verifyEmail: { token: 'twl_x', new_password: password },
  confirmEmail: { token: 'twl_x', current_password: password },
  undoEmailChange: { token: 'twl_x' },
  requestVerification: { email: 'good@example.org' },
  changePassword: { current_password: password, new_password: password },
  createUser: { email: 'good@example.org', password, name: 'Good', role: 'member' },
  createInvitation: { email: 'good@example.org', name: 'Good' },
  changeUser: { name: 'Good', email: 'good@example.org', role: 'member', current_password: password },
  reauthenticate: { current_password: password },
  deleteUser: { current_password: password },
  restoreUser: { current_password: password },
};

describe('bad input to Auth', () => {
  let world: AuthWorld;
  let admin: LoggedIn;
  let service: string;
  let untouched: string;

  async function everything(): Promise<string> {
    const { rows } = await world.database.db.pool.query<{ text: string }>(
      `SELECT t::text AS text FROM (SELECT * FROM users ORDER BY id) t
       UNION ALL SELECT s::text FROM (SELECT * FROM sessions ORDER BY id) s
       UNION ALL SELECT r::text FROM (SELECT * FROM refresh_tokens ORDER BY hash) r
       UNION ALL SELECT l::text FROM (SELECT * FROM account_links ORDER BY id) l
       UNION ALL SELECT m::text FROM (SELECT * FROM mail_requests ORDER BY id) m
       UNION ALL SELECT i::text FROM (SELECT * FROM invitations ORDER BY id) i`,
    );
    return rows.map(({ text }) => text).join('\n');
  }

  before(async () => {
    const clients = JSON.stringify([mailer.settings]);
    world = await authWorld({ OIDC_CLIENTS: clients }, { passwords: cheapPasswords() });
    admin = await loggedIn(world, 'admin');
    service = await serviceToken(world, mailer);
  });
  beforeEach(async () => {
    untouched = await everything();
  });
  afterEach('nothing was written', async () => {
    expect(await everything()).to.equal(untouched);
  });
  after(async () => {
    await world.stop();
  });

  const tokenFor = (operation: Operation): string | undefined =>
    ({ anyone: undefined, user: admin.token, service })[contract(operation).access.kind];

  async function send(
    operation: Operation,
    given: { body?: string; headers?: Record<string, string>; id?: string; query?: string },
  ): Promise<Answer> {
    const route = contract(operation);
    const token = tokenFor(operation);
    const path = route.path.replace('{id}', given.id ?? admin.id);
    return await world.api.raw(`${path}${given.query ?? ''}`, {
      method: route.method.toUpperCase(),
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(given.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(route.ifMatch === undefined ? {} : { 'if-match': '*' }),
        ...given.headers,
      },
      ...(given.body === undefined ? {} : { body: given.body }),
    });
  }

  describe('in a body', () => {
    for (const operation of withJson) {
      const body = good[operation] ?? {};
      const fields = Object.keys(body);
      const mayBeEmpty = contract(operation).optionalBody === true;

      it(`of ${operation} is answered with 400 if it is not JSON`, async () => {
        for (const broken of ['{', '{"a":}', 'name=x', '{"name":"\u0001"}']) {
          const answer = await send(operation, { body: broken });
          expect(answer.status).to.equal(400, broken);
          expectProblem(answer, 'malformed_json');
        }
        if (!mayBeEmpty) expect((await send(operation, {})).status).to.equal(400);
      });

      it(`of ${operation} is answered with 422 if the JSON is not an object, or is empty`, async () => {
        for (const shape of ['null', '[]', '"text"', '1', 'true', ...(mayBeEmpty ? [] : ['{}'])]) {
          expectProblem(await send(operation, { body: shape }), 'invalid_input');
        }
      });

      it(`of ${operation} is answered with 422 and the field's name for a wrong type, an empty or a far too long text`, async () => {
        for (const field of fields) {
          for (const wrong of [null, 1, true, {}, [], '', 'x'.repeat(5_000)]) {
            const answer = await send(operation, { body: JSON.stringify({ ...body, [field]: wrong }) });
            expect(answer.status).to.equal(422, `${field}: ${JSON.stringify(wrong)?.slice(0, 20)}`);
            const faults = expectProblem(answer, 'invalid_input').errors ?? [];
            expect(faults.map((fault) => fault.field)).to.include(field);
          }
        }
      });

      it(`of ${operation} is answered with 422 for an unknown field, including names with a meaning in JavaScript`, async () => {
        for (const field of ['is_admin', '__proto__', 'constructor', 'toString']) {
          const text = `{${JSON.stringify(body).slice(1, -1)},${JSON.stringify(field)}:{"role":"admin"}}`;
          expectProblem(await send(operation, { body: text }), 'invalid_input');
        }
      });

      it(`of ${operation} is answered with 415 for another media type`, async () => {
        for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
          const answer = await send(operation, { body: JSON.stringify(body), headers: { 'content-type': type } });
          expect(answer.status).to.equal(415, type);
          expectProblem(answer, 'unsupported_media_type');
        }
        const zipped = await send(operation, { body: JSON.stringify(body), headers: { 'content-encoding': 'zip' } });
        expectProblem(zipped, 'unsupported_media_type');
      });

      it(`of ${operation} is answered with 413 beyond a mebibyte`, async () => {
        const answer = await send(operation, { body: JSON.stringify({ ...body, name: 'x'.repeat(1_100_000) }) });
        expect(answer.status).to.equal(413);
        expectProblem(answer, 'payload_too_large');
      });
    }

    it('is answered with 422 if it breaks a rule of a field', async () => {
      const { register: account } = good;
      const rules: [string, unknown][] = [
        ['email', 'no-at-sign'],
        ['email', 'two@@example.org'],
        ['email', 'a@b@c.org'],
        ['email', 'new\nline@example.org'],
        ['email', `${'x'.repeat(250)}@example.org`],
        ['password', 'seven77'],
        ['password', 'x'.repeat(257)],
        ['name', '   '],
        ['name', 'nul\u0000'],
        ['name', 'bell\u0007'],
        ['name', 'x'.repeat(101)],
      ];
      for (const [field, value] of rules) {
        const answer = await send('register', { body: JSON.stringify({ ...account, [field]: value }) });
        expect(expectProblem(answer, 'invalid_input').errors?.[0]?.field).to.equal(field, JSON.stringify(value));
      }
      const role = await send('changeUser', { body: JSON.stringify({ role: 'accountant' }) });
      expectProblem(role, 'invalid_input');
    });

    it('is not repeated in the response', async () => {
      const secret = 'my-secret-that-is-7';
      const answer = await send('login', { body: JSON.stringify({ email: 1, password: secret, [secret]: secret }) });
      expect(
        answer.text.replaceAll(`"field":"${secret}"`, '').replaceAll(`Invalid fields: email, ${secret}`, ''),
      ).not.to.contain(secret);
    });
  });

  describe('in a URL', () => {
    for (const operation of withId) {
      it(`of ${operation} is answered with 422 for an id that is not a UUID`, async () => {
        for (const id of ['1', 'null', `${admin.id}0`, 'x'.repeat(36), '%27%20OR%201', '%00']) {
          const body = good[operation];
          const answer = await send(operation, { id, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
          expect(answer.status).to.equal(422, id);
          expectProblem(answer, 'invalid_input');
        }
        const undecodable = await send(operation, { id: '%ff' });
        expect(undecodable.status).to.equal(400);
        expectProblem(undecodable, 'bad_request');
      });
    }

    for (const operation of lists) {
      it(`of ${operation} is answered with 400 for an invalid cursor`, async () => {
        const made = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
        const foreign = [made([1]), made(['x']), made({}), made([['a']]), made(null), made(['2020-01-01', admin.id])];
        for (const cursor of ['x', '%00', 'ä', '..', ...foreign]) {
          const answer = await send(operation, { query: `?cursor=${encodeURIComponent(cursor)}` });
          expect(answer.status).to.equal(400, cursor);
          expectProblem(answer, 'bad_cursor');
        }
      });

      it(`of ${operation} is answered with 422 for a query parameter that is invalid, unknown or repeated`, async () => {
        const wrong = ['limit=0', 'limit=101', 'limit=-1', 'limit=1.5', 'limit=x', 'limit=', 'limit=1e1', 'cursor='];
        for (const query of [...wrong, `cursor=${'x'.repeat(1_001)}`, 'page=2', 'limit=1&limit=2', 'limit[a]=1']) {
          expectProblem(await send(operation, { query: `?${query}` }), 'invalid_input');
        }
      });
    }

    it('of listUsers is answered with 422 for an impossible role or search', async () => {
      for (const query of ['role=boss', 'role=', 'q=', `q=${'x'.repeat(101)}`, 'q=%00', 'q=%20']) {
        expectProblem(await send('listUsers', { query: `?${query}` }), 'invalid_input');
      }
    });

    it('of listInternalUsers is answered with 422 for an invalid time', async () => {
      for (const time of ['yesterday', '2020-01-01', '2020-02-30T00:00:00Z', '2020-01-01T00:00:00', '1', '']) {
        expectProblem(await send('listInternalUsers', { query: `?updated_since=${time}` }), 'invalid_input');
      }
    });

    it('is answered with 404 for an unknown path and 405 for another method', async () => {
      expectProblem(await world.api.raw('/api/v1/nothing'), 'not_found');
      const answer = await world.api.raw('/api/v1/users/me', { method: 'PUT' });
      expect(answer.status).to.equal(405);
      expectProblem(answer, 'method_not_allowed');
      expect(answer.headers.get('allow')).to.contain('GET');
    });
  });

  describe('in If-Match', () => {
    for (const operation of ['changeUser', 'deleteUser'] as const) {
      it(`of ${operation} is answered with 400 if it is not an entity tag`, async () => {
        for (const tag of ['1', '"1', 'W/1', 'x'.repeat(2_000)]) {
          const body = good[operation];
          const answer = await send(operation, {
            headers: { 'if-match': tag },
            ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          });
          expect(answer.status).to.equal(400, tag);
          expectProblem(answer, 'bad_etag');
        }
      });
    }
  });

  describe('in Authorization', () => {
    async function expectRefused(operation: Operation, authorization: string | undefined, code: string): Promise<void> {
      const body = good[operation];
      const answer = await world.api.raw(contract(operation).path.replace('{id}', admin.id), {
        method: contract(operation).method.toUpperCase(),
        headers: {
          ...(authorization === undefined ? {} : { authorization }),
          'if-match': '*',
          'content-type': 'application/json',
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      expect(answer.status).to.equal(401, `${operation} ${authorization?.slice(0, 40)}`);
      expectProblem(answer, code);
      expect(answer.headers.get('www-authenticate')).to.match(/^Bearer/);
    }

    it('is answered with 401 on every protected operation if the token is missing', async () => {
      for (const operation of guarded) await expectRefused(operation, undefined, 'unauthenticated');
    });

    it('is answered with 401 on every operation if the token is not ours', async () => {
      const now = Math.floor(Date.now() / 1000);
      const claims = { sub: admin.id, client_id: 'first-party', aud: 'urn:taskwire:auth', role: 'admin' as const };
      const sid = String(decodeJwt(admin.token)['sid']);
      const [header = '', payload = '', signature = ''] = admin.token.split('.');
      const none = `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${payload}.`;
      const hmac = await new SignJWT({ ...claims, sid })
        .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' })
        .setIssuer('http://localhost:8080/oidc')
        .setIssuedAt()
        .setExpirationTime('5m')
        .sign(Buffer.from(JSON.stringify((await world.api.call('jwks')).body)));
      const bad = [
        'x',
        'a.b.c',
        none,
        hmac,
        `${header}.${payload}.${signature.slice(0, -4)}AAAA`,
        `${header}.${Buffer.from(JSON.stringify({ ...decodeJwt(admin.token), role: 'admin', x: 1 })).toString('base64url')}.${signature}`,
        `${header}.${payload}.${'A'.repeat(10_000)}`,
        await signed(world, { ...claims, sid, aud: 'urn:taskwire:tasks' }),
        await signed(world, { ...claims, sid, iss: 'https://elsewhere.example' }),
        await signed(world, { ...claims, sid }, { typ: 'JWT' }),
        await signed(world, { ...claims, sid }, { kid: 'unknown' }),
        await signed(world, { ...claims, sub: 'not-a-uuid' }),
      ];
      const expired = await signed(world, { ...claims, sid, iat: now - 700, exp: now - 60 });
      for (const operation of guarded) {
        for (const token of bad) await expectRefused(operation, `Bearer ${token}`, 'invalid_token');
        await expectRefused(operation, `Bearer ${expired}`, 'token_expired');
        await expectRefused(operation, 'Basic dGFza3M6c2VjcmV0', 'invalid_token');
      }
    });

    it("is answered with 401 for a token of an unknown user or of another user's session", async () => {
      const other = await loggedIn(world, 'member');
      untouched = await everything();
      const claims = { client_id: 'first-party', aud: 'urn:taskwire:auth', role: 'admin' as const };
      const sid = String(decodeJwt(other.token)['sid']);
      for (const token of [
        await signed(world, { ...claims, sub: '01999999-0000-7000-8000-000000000000', sid }),
        await signed(world, { ...claims, sub: admin.id, sid }),
        await signed(world, { ...claims, sub: admin.id }),
        await signed(world, { ...claims, sub: admin.id, sid: 'not-a-uuid' }),
      ]) {
        for (const operation of forUsers) await expectRefused(operation, `Bearer ${token}`, 'access_revoked');
      }
    });

    it('never overrides the role in the database by the role in a token', async () => {
      const member = await loggedIn(world, 'member');
      untouched = await everything();
      const { sid } = decodeJwt(member.token);
      const forged = { sub: member.id, client_id: 'first-party', aud: 'urn:taskwire:auth', sid: String(sid) };
      const token = await signed(world, { ...forged, role: 'admin' });
      expectProblem(await world.api.call('listUsers', { token }), 'forbidden');
    });

    it("is answered with 403 for a service's token on user operations, and vice versa", async () => {
      for (const operation of forUsers) {
        const body = good[operation];
        const headers = { authorization: `Bearer ${service}` };
        const answer = await send(operation, {
          headers,
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        expect(answer.status).to.equal(403, operation);
        expectProblem(answer, 'forbidden');
      }
      for (const operation of forServices) {
        const answer = await send(operation, { headers: { authorization: `Bearer ${admin.token}` } });
        expectProblem(answer, 'insufficient_scope');
      }
    });
  });
});
