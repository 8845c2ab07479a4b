import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { expectProblem, type Answer } from './support/api.ts';
import { authHarness, cheapPasswords, loggedIn, password, type AuthHarness } from './support/auth-harness.ts';

type LoggedIn = Awaited<ReturnType<typeof loggedIn>>;

describe('names of users', () => {
  let harness: AuthHarness;
  let admin: LoggedIn;
  let member: LoggedIn;
  before(async () => {
    harness = await authHarness({ RENAMES_PER_ACCOUNT: '3' }, { passwords: cheapPasswords() });
  });
  after(async () => {
    await harness.stop();
  });
  beforeEach(async () => {
    admin = await loggedIn(harness, 'admin');
    member = await loggedIn(harness, 'member');
  });

  let people = 0;
  const newEmail = () => `named-${(people += 1)}@example.org`;
  const rename = async (by: LoggedIn, id: string, name: string, headers: Record<string, string> = {}) =>
    await harness.api.call('changeUser', { token: by.token, params: { id }, body: { name }, headers });

  /** Every operation that sets a name. */
  const ways: readonly (readonly [string, (name: string) => Promise<Answer>])[] = [
    [
      'registering',
      async (name) => await harness.api.call('register', { body: { email: newEmail(), password, name } }),
    ],
    [
      'creating an account for another user',
      async (name) => {
        const body = { email: newEmail(), password, name, role: 'member' };
        return await harness.api.call('createUser', { token: admin.token, body });
      },
    ],
    ['renaming', async (name) => await rename(member, member.id, name)],
  ];
  for (const [way, withName] of ways) {
    it(`reject addresses and invisible characters when ${way}, and name the field and the remedy`, async () => {
      for (const [name, code, remedy] of [
        ['Win at https://evil.example', 'contains_address', /put a space after a full stop/],
        ['evil。com', 'contains_address', /web or e-mail address/],
        ['ann＠evil', 'contains_address', /web or e-mail address/],
        ['\u202emoc.live', 'hidden_character', /type it instead/],
        ['\u3164', 'nothing_visible', /visible character/],
      ] as const) {
        const answer = await withName(name);
        expect(answer.status, name).to.equal(422);
        const { errors } = expectProblem(answer, 'invalid_input') as { errors?: Record<string, string>[] };
        expect(errors).to.have.length(1);
        expect(errors?.[0]).to.include({ field: 'name', code });
        expect(errors?.[0]?.['message']).to.match(remedy);
        expect(answer.text, 'the response does not repeat the input').not.to.include('evil');
      }
      expect((await withName('J. R. R. Tolkien')).status).to.be.oneOf([200, 201]);
    });
  }

  it('that predate the rule stay valid, even when another field changes', async () => {
    await query(harness.database.db.pool, "UPDATE users SET name = 'Old evil.com' WHERE id = $1", [member.id]);
    const params = { id: member.id };
    const promoted = await harness.api.call('changeUser', { token: admin.token, params, body: { role: 'manager' } });
    expect(promoted.body).to.include({ name: 'Old evil.com', role: 'manager' });
    expect((await rename(admin, member.id, 'Old evil.com')).status).to.equal(422);
  });

  it('change a limited number of times, and the refusal says when to retry', async () => {
    for (let n = 1; n <= 3; n++) expect((await rename(member, member.id, `Name ${n}`)).status).to.equal(200);
    const answer = await rename(member, member.id, 'Name 4');
    expect(answer.status).to.equal(429);
    expectProblem(answer, 'rate_limited');
    expect(Number(answer.headers.get('retry-after'))).to.be.within(3_000, 3_600);
    const me = await harness.api.call('me', { token: member.token });
    expect(me.body).to.include({ name: 'Name 3' });
  });

  it('are limited per user who changes one account: other users and admins can still correct them', async () => {
    const other = await loggedIn(harness, 'member');
    for (let n = 1; n <= 4; n++) await rename(member, member.id, `Name ${n}`);
    expect((await rename(member, member.id, 'Name 5')).status).to.equal(429);
    expect((await rename(other, other.id, 'Other')).status).to.equal(200);
    for (let n = 1; n <= 3; n++) expect((await rename(admin, member.id, `Right ${n}`)).status).to.equal(200);
    expect((await rename(admin, member.id, 'Right 4')).status).to.equal(429);
    expect((await rename(admin, other.id, 'Right')).status).to.equal(200);
  });

  it("cost nothing for a no-op: the same name, a stale version, another user's account, an address", async () => {
    for (let n = 0; n < 4; n++) {
      expect((await rename(member, member.id, member.name)).status).to.equal(200);
      expect((await rename(member, member.id, 'Stale', { 'if-match': '"99"' })).status).to.equal(412);
      expect((await rename(member, admin.id, 'Not mine')).status).to.equal(403);
      expect((await rename(member, member.id, 'evil.com')).status).to.equal(422);
    }
    for (let n = 1; n <= 3; n++) expect((await rename(member, member.id, `Name ${n}`)).status).to.equal(200);
  });

  it('are limited across replicas', async () => {
    const { api } = await harness.replica({}, { passwords: cheapPasswords() });
    const answers = await Promise.all(
      Array.from({ length: 10 }, async (_, n) => {
        const { call } = n % 2 === 0 ? harness.api : api;
        return await call('changeUser', {
          token: member.token,
          params: { id: member.id },
          body: { name: `Racer ${n}` },
        });
      }),
    );
    const statuses = answers.map(({ status }) => status).toSorted();
    expect(statuses).to.deep.equal([200, 200, 200, ...Array<number>(7).fill(429)]);
  });
});
