import { expect } from 'chai';
import { expectProblem } from './support/api.ts';
import {
  addUser,
  authHarness,
  cheapPasswords,
  loggedIn,
  logIn,
  password,
  type AuthHarness,
} from './support/auth-harness.ts';

const unknownId = '01999999-0000-7000-8000-000000000000';

type User = { id: string; email: string; name: string; role: string; version: number; updated_at: string };
type Page = { data: User[]; next_cursor: string | null };
type LoggedIn = Awaited<ReturnType<typeof loggedIn>>;

describe('users of Auth', () => {
  let harness: AuthHarness;
  let admin: LoggedIn;
  let manager: LoggedIn;
  let member: LoggedIn;

  beforeEach(async () => {
    admin = await loggedIn(harness, 'admin');
    manager = await loggedIn(harness, 'manager');
    member = await loggedIn(harness, 'member');
  });
  before(async () => {
    harness = await authHarness({}, { passwords: cheapPasswords() });
  });
  after(async () => {
    await harness.stop();
  });

  const get = async (token: string, id: string) => await harness.api.call('getUser', { token, params: { id } });
  const change = async (token: string, id: string, body: object, headers: Record<string, string> = {}) =>
    await harness.api.call('changeUser', { token, params: { id }, body, headers });
  const remove = async (token: string, id: string, headers: Record<string, string> = {}) =>
    await harness.api.call('deleteUser', { token, params: { id }, headers });

  describe('reading', () => {
    it('shows every user their own account, and other users to admins and managers only', async () => {
      expect((await get(member.token, member.id)).body).to.include({ id: member.id, version: 1 });
      expect((await get(manager.token, member.id)).status).to.equal(200);
      expect((await get(admin.token, member.id)).status).to.equal(200);
      expectProblem(await get(member.token, admin.id), 'forbidden');
      expectProblem(await get(member.token, unknownId), 'forbidden');
    });

    it('responds 304 to a caller with the current representation, and forbids storing it', async () => {
      const first = await get(admin.token, member.id);
      const tag = first.headers.get('etag') ?? '';
      const again = await harness.api.call('getUser', {
        token: admin.token,
        params: { id: member.id },
        headers: { 'if-none-match': tag },
      });
      expect(again.status).to.equal(304);
      for (const { headers } of [first, again]) {
        expect([headers.get('cache-control'), headers.get('vary')]).to.deep.equal(['no-store', 'Authorization']);
      }
    });

    it("never confuses one user's copy of /users/me with another's, although both have version 1", async () => {
      const me = async (token: string, headers: Record<string, string> = {}) =>
        await harness.api.call('me', { token, headers });
      const ann = await me(member.token);
      const ben = await me(manager.token, { 'if-none-match': ann.headers.get('etag') ?? '' });
      expect([ben.status, ben.body]).to.deep.equal([200, (await get(manager.token, manager.id)).body]);
      // an ETag in the form used before ETags identified the representation
      expect((await me(manager.token, { 'if-none-match': '"1"' })).status).to.equal(200);
    });

    it('distinguishes a deleted user (410) from an unknown one (404)', async () => {
      await remove(admin.token, member.id);
      expect((await get(admin.token, member.id)).status).to.equal(410);
      expectProblem(await get(manager.token, member.id), 'gone');
      expectProblem(await get(admin.token, unknownId), 'not_found');
    });
  });

  describe('the list', () => {
    async function pages(query: Record<string, string>): Promise<User[]> {
      const found: User[] = [];
      let cursor: string | null = null;
      do {
        const answer = await harness.api.call('listUsers', {
          token: manager.token,
          query: { ...query, ...(cursor === null ? {} : { cursor }) },
        });
        expect(answer.status).to.equal(200, answer.text);
        const page = answer.body as Page;
        found.push(...page.data);
        cursor = page.next_cursor;
      } while (cursor !== null);
      return found;
    }

    it('is reserved for admins and managers', async () => {
      expect((await harness.api.call('listUsers', { token: admin.token })).status).to.equal(200);
      expect((await harness.api.call('listUsers', { token: manager.token })).status).to.equal(200);
      expectProblem(await harness.api.call('listUsers', { token: member.token }), 'forbidden');
    });

    it('returns each user once, in pages, without deleted ones', async () => {
      await remove(admin.token, member.id);
      const found = await pages({ limit: '2' });
      const ids = found.map(({ id }) => id);
      expect(new Set(ids).size).to.equal(ids.length);
      expect(ids).to.deep.equal(ids.toSorted());
      expect(ids).to.include.members([admin.id, manager.id]);
      expect(ids).not.to.include(member.id);
      expect(found).to.deep.equal(await pages({ limit: '100' }));
    });

    it('stays stable while users change', async () => {
      const first = (await harness.api.call('listUsers', { token: admin.token, query: { limit: '1' } })).body as Page;
      await change(admin.token, first.data[0]?.id ?? '', { name: 'Moved' });
      const rest = await harness.api.call('listUsers', {
        token: admin.token,
        query: { cursor: first.next_cursor ?? '', limit: '100' },
      });
      expect((rest.body as Page).data.map(({ id }) => id)).not.to.include(first.data[0]?.id);
    });

    it('filters by role, and by part of a name or an address', async () => {
      await addUser(harness, 'member', { name: '100%_Zoë \\ O’Hara', email: 'zoe.under_score@example.org' });
      expect(new Set((await pages({ role: 'manager' })).map(({ role }) => role))).to.deep.equal(new Set(['manager']));
      for (const q of ['zoë', '100%', '%_z', ' \\ o', 'ZOE.UNDER_SCORE@']) {
        expect((await pages({ q })).map(({ email }) => email)).to.deep.equal(['zoe.under_score@example.org'], q);
      }
      expect(await pages({ q: 'zoe_under' })).to.deep.equal([]);
      expect(await pages({ q: "'; DROP TABLE users; --" })).to.deep.equal([]);
    });
  });

  describe('creation', () => {
    it('is reserved for admins, who choose the role', async () => {
      const body = { email: 'made@example.org', password, name: 'Made', role: 'manager' };
      expectProblem(await harness.api.call('createUser', { token: manager.token, body }), 'forbidden');
      expectProblem(await harness.api.call('createUser', { token: member.token, body }), 'forbidden');
      const made = await harness.api.call('createUser', { token: admin.token, body });
      expect(made.status).to.equal(201);
      expect(made.headers.get('etag')).to.match(/^"1-/);
      expect(made.body).to.include({ email: 'made@example.org', role: 'manager', email_verified: false });
      expect((await logIn(harness, 'made@example.org')).user.id).to.equal((made.body as User).id);
      expectProblem(await harness.api.call('createUser', { token: admin.token, body }), 'email_taken');
    });
  });

  describe('a change', () => {
    it('is allowed to the user and to admins', async () => {
      expect((await change(member.token, member.id, { name: 'By myself' })).status).to.equal(200);
      expect((await change(admin.token, member.id, { name: 'By an admin' })).status).to.equal(200);
      expectProblem(await change(manager.token, member.id, { name: 'By a manager' }), 'forbidden');
      expectProblem(await change(member.token, manager.id, { name: 'By another' }), 'forbidden');
      expect((await get(admin.token, member.id)).body).to.include({ name: 'By an admin', version: 3 });
    });

    it("of a role is reserved for admins, even of one's own", async () => {
      expectProblem(await change(member.token, member.id, { role: 'admin' }), 'forbidden');
      expectProblem(await change(manager.token, manager.id, { name: 'X', role: 'member' }), 'forbidden');
      expect((await get(admin.token, manager.id)).body).to.include({ role: 'manager', version: 1 });
    });

    it('makes a new version with a later time, however fast changes follow', async () => {
      const names = Array.from({ length: 20 }, (_, index) => `Name ${index}`);
      const answers = await Promise.all(names.map(async (name) => await change(admin.token, member.id, { name })));
      const versions = answers.map(({ body }) => body as User).toSorted((a, b) => a.version - b.version);
      expect(versions.map(({ version }) => version)).to.deep.equal(names.map((_, index) => index + 2));
      const times = versions.map(({ updated_at }) => updated_at);
      expect(times).to.deep.equal([...new Set(times)].toSorted());
    });

    it('that has no effect makes no version', async () => {
      const same = { name: member.name, email: member.email, role: 'member' };
      const answer = await change(admin.token, member.id, same);
      expect(answer.status).to.equal(200);
      expect(answer.body).to.include({ version: 1, updated_at: member.updated_at });
    });

    it('accepts the ETag of any response with the user, until the user changes', async () => {
      const tag = (await get(member.token, member.id)).headers.get('etag') ?? '';
      const changed = await change(member.token, member.id, { name: 'New' }, { 'if-match': tag });
      expect(changed.status).to.equal(200);
      expect((await change(member.token, member.id, { name: 'Newer' }, { 'if-match': tag })).status).to.equal(412);
      const next = { 'if-match': changed.headers.get('etag') ?? '' };
      expect((await change(member.token, member.id, { name: 'Newer' }, next)).status).to.equal(200);
    });

    it('requires the current version', async () => {
      expect((await change(admin.token, member.id, { name: 'New' }, { 'if-match': '"1"' })).status).to.equal(200);
      const stale = await change(admin.token, member.id, { name: 'Newer' }, { 'if-match': '"1"' });
      expect(stale.status).to.equal(412);
      expect(stale.headers.get('etag')).to.equal('"2"');
      expect((await change(admin.token, member.id, { name: 'Newer' }, { 'if-match': 'W/"2"' })).status).to.equal(412);
      expect((await remove(admin.token, member.id, { 'if-match': '"1"' })).status).to.equal(412);
      const path = `/api/v1/users/${member.id}`;
      const authorization = `Bearer ${admin.token}`;
      const missing = await harness.api.raw(path, {
        method: 'PATCH',
        headers: { authorization, 'content-type': 'application/json' },
        body: '{"name":"Newest"}',
      });
      expect(missing.status).to.equal(428);
      expect((await harness.api.raw(path, { method: 'DELETE', headers: { authorization } })).status).to.equal(428);
      expect((await get(admin.token, member.id)).body).to.include({ name: 'New', version: 2 });
    });

    it('succeeds for only one of many concurrent requests with the same version', async () => {
      const answers = await Promise.all(
        Array.from(
          { length: 10 },
          async (_, index) => await change(admin.token, member.id, { name: `Racer ${index}` }, { 'if-match': '"1"' }),
        ),
      );
      expect(answers.map(({ status }) => status).toSorted()).to.deep.equal([200, ...Array<number>(9).fill(412)]);
    });

    it('of the address keeps addresses unique', async () => {
      const taken = { email: admin.email.toUpperCase() };
      expectProblem(await change(member.token, member.id, { ...taken, current_password: password }), 'email_taken');
      expectProblem(await change(admin.token, member.id, taken), 'email_taken');
      expect((await get(admin.token, member.id)).body).to.include({ email: member.email, version: 1 });
    });

    it('responds 404 for an unknown user and 410 for a deleted one', async () => {
      await remove(admin.token, member.id);
      expectProblem(await change(admin.token, unknownId, { name: 'X' }), 'not_found');
      expectProblem(await change(admin.token, member.id, { name: 'X' }), 'gone');
      expectProblem(await remove(admin.token, unknownId), 'not_found');
      expectProblem(await remove(admin.token, member.id), 'gone');
    });
  });

  describe('the last admin', () => {
    async function onlyAdmins(count: number): Promise<LoggedIn[]> {
      const admins = await Promise.all(Array.from({ length: count }, async () => await loggedIn(harness, 'admin')));
      await harness.database.db.pool.query(
        "UPDATE users SET role = 'member' WHERE role = 'admin' AND NOT id = ANY($1::uuid[])",
        [admins.map(({ id }) => id)],
      );
      return admins;
    }

    it('can be neither demoted nor deleted, but changed otherwise', async () => {
      const [last] = await onlyAdmins(1);
      const { token = '', id = '' } = last ?? {};
      expectProblem(await change(token, id, { role: 'member' }), 'last_admin');
      expectProblem(await remove(token, id), 'last_admin');
      expect((await change(token, id, { name: 'Still here', role: 'admin' })).body).to.include({ role: 'admin' });
    });

    it('remains when all admins are removed at the same time, by themselves or by others', async () => {
      for (let round = 0; round < 5; round++) {
        const admins = await onlyAdmins(4);
        const answers = await Promise.all(
          admins.map(async ({ token }, index) => {
            const target = admins[(index + round) % admins.length]?.id ?? '';
            return index % 2 === 0 ? await remove(token, target) : await change(token, target, { role: 'manager' });
          }),
        );
        const { rows } = await harness.database.db.pool.query<{ admins: number }>(
          "SELECT count(*)::int AS admins FROM users WHERE role = 'admin' AND deleted_at IS NULL",
        );
        expect(rows[0]?.admins).to.be.at.least(1);
        for (const { status } of answers) expect(status).to.be.oneOf([200, 204, 401, 409]);
        if (round === 0) expect(answers.map(({ status }) => status)).to.include(409);
      }
    });
  });
});
