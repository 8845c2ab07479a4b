import { expect } from 'chai';
import {
  accountHarness,
  mailer,
  otherMailer,
  reader,
  type AccountHarness,
  type ReadableLink,
} from './support/account-harness.ts';
import { expectProblem, type Answer } from './support/api.ts';
import { addUser, loggedIn, logIn, password, serviceToken } from './support/auth-harness.ts';

describe('mailed account links', () => {
  let harness: AccountHarness;
  /** A replica with small limits, where accounts with an unverified address can access only themselves. */
  let small: Awaited<ReturnType<AccountHarness['replica']>>;
  before(async () => {
    harness = await accountHarness();
    small = await harness.replica({ MAIL_REQUESTS_PER_IP: '3', AUTH_REQUIRE_VERIFIED_EMAIL: 'true' });
  });
  after(async () => {
    await harness.stop();
  });

  const detailOf = (answer: Answer) => expectProblem(answer, 'link_not_valid').detail;
  const change = async (id: string, token: string, body: Record<string, string>) =>
    await harness.api.call('changeUser', { token, params: { id }, body });

  it('verify the address of a new user once: of a hundred concurrent uses, one wins', async () => {
    const user = await harness.register('Rosa.Verify@example.org');
    const [event, ...others] = await harness.linkEvents(user.id);
    expect(others).to.deep.equal([]);
    expect(event?.type).to.equal('auth.account.verification_requested');
    const linkId = event?.payload.link_id ?? '';
    const answer = await harness.readLink(linkId);
    expect(answer.headers.get('cache-control')).to.equal('no-store');
    const { email, link, expires_at: until } = answer.body as ReadableLink;
    expect(email).to.equal('Rosa.Verify@example.org');
    expect(link).to.match(/^http:\/\/localhost:8080\/oidc\/account\/verify\?token=twl_[\w-]{64}$/);
    expect(Date.parse(until) - Date.now()).to.be.within(86_300_000, 86_400_000);
    const token = await harness.lastToken(user.id);
    const session = await logIn(harness, user.email);
    const uses = Array.from({ length: 100 }, async () => await harness.verify(token, session.access_token));
    const answers = await Promise.all(uses);
    // the other attempts find the address already verified, which is not reported as an error
    expect(new Set(answers.map(({ status }) => status))).to.deep.equal(new Set([204]));
    expect((await harness.me(session.access_token)).body).to.include({ email_verified: true, version: 2 });
    const entries = await harness.rows(`SELECT FROM audit_log WHERE action = 'email.verify' AND subject_id = $1`, [
      user.id,
    ]);
    expect(entries).to.have.length(1);
    expect(expectProblem(await harness.readLink(linkId), 'gone').detail).to.equal('It was used already.');
  });

  it('are identical each time they are read for one delivery, on every replica', async () => {
    const user = await harness.register('same@example.org');
    const second = await harness.replica();
    const params = { id: (await harness.linkEvents(user.id))[0]?.payload.link_id ?? '' };
    const here = await harness.readLink(params.id);
    const token = await serviceToken(harness, mailer);
    const headers = { 'idempotency-key': `delivery of ${params.id}` };
    const there = await second.api.call('getAccountLink', { token, params, headers });
    expect([here, there].map((answer) => answer.headers.get('idempotency-replayed'))).to.deep.equal([null, 'true']);
    expect((await harness.readLink(params.id)).body).to.deep.equal(here.body);
    expect(there.body).to.deep.equal(here.body);
  });

  it('are mailed to users created by an admin, and not to users with a verified address', async () => {
    const admin = await loggedIn(harness, 'admin');
    const body = { email: 'made@example.org', password, name: 'Made', role: 'manager' };
    const made = (await harness.api.call('createUser', { token: admin.token, body })).body as { id: string };
    expect(await harness.linkEvents(made.id)).to.have.length(1);
    const token = await harness.lastToken(made.id);
    expect((await harness.claim(token)).status).to.equal(204);
    await harness.api.call('requestVerification', { body: { email: 'made@example.org' }, headers: harness.freshIp() });
    await harness.service.mailRequests.tick();
    expect(await harness.linkEvents(made.id)).to.have.length(1);
  });

  it('are revoked by a newer link of the same purpose only', async () => {
    const user = await harness.register('newer@example.org');
    const first = await harness.lastToken(user.id);
    const reset = await harness.resetToken(user);
    await harness.api.call('requestVerification', { body: { email: 'NEWER@example.org' }, headers: harness.freshIp() });
    await harness.service.mailRequests.tick();
    const second = await harness.lastToken(user.id);
    expect(second).not.to.equal(first);
    expect(detailOf(await harness.verify(first))).to.equal('A newer one was sent. Ask for a new one.');
    const { access_token: session } = await logIn(harness, user.email);
    expect((await harness.verify(second, session)).status).to.equal(204);
    expect((await harness.reset(reset)).status).to.equal(204);
  });

  it('expire', async () => {
    const user = await harness.register('late@example.org');
    const [verification, reset] = [await harness.lastToken(user.id), await harness.resetToken(user)];
    const links = await harness.rows<{ purpose: string; seconds: number }>(
      `SELECT purpose, extract(epoch FROM expires_at - created_at)::integer AS seconds FROM account_links
       WHERE user_id = $1 ORDER BY purpose`,
      [user.id],
    );
    expect(links).to.deep.equal([
      { purpose: 'reset_password', seconds: 3_600 },
      { purpose: 'verify_email', seconds: 86_400 },
    ]);
    await harness.rows('UPDATE account_links SET expires_at = clock_timestamp() WHERE user_id = $1', [user.id]);
    for (const answer of [await harness.verify(verification), await harness.reset(reset)]) {
      expect(detailOf(answer)).to.equal('It has expired. Ask for a new one.');
    }
  });

  it('are revoked by a change of the address, and not by another spelling of it', async () => {
    const user = await harness.register('before@example.org');
    const { access_token: token } = await logIn(harness, user.email);
    const verification = await harness.lastToken(user.id);
    const reset = await harness.resetToken(user);
    const spelled = await change(user.id, token, { email: 'BEFORE@example.org' });
    expect(spelled.body).to.include({ email: 'BEFORE@example.org' });
    await change(user.id, token, { email: 'after@example.org', current_password: password });
    const confirmation = await harness.lastToken(user.id);
    const body = { token: confirmation };
    expect((await harness.api.call('confirmEmail', { token, body })).status).to.equal(204);
    for (const answer of [await harness.verify(verification), await harness.reset(reset)]) {
      expect(detailOf(answer)).to.include('The address of the account has changed');
    }
  });

  it('are not mailed to an address after the account has moved to another', async () => {
    const user = await harness.register('wanderer@example.org');
    const { access_token: token } = await logIn(harness, user.email);
    const statuses: number[] = [];
    for (let count = 0; count < 4; count++) {
      const body = { email: `victim-${count % 2}@example.org`, current_password: password };
      const headers = { 'x-forwarded-for': '192.0.2.9' };
      const answer = await small.api.call('changeUser', { token, params: { id: user.id }, body, headers });
      statuses.push(answer.status);
    }
    expect(statuses).to.deep.equal([200, 200, 200, 429]);
    const body = { email: 'WANDERER@example.org', name: 'Wanda' };
    expect((await small.api.call('changeUser', { token, params: { id: user.id }, body })).status).to.equal(200);
  });

  it('count as used once the user has reset the password, which also proves that the address belongs to the user', async () => {
    const user = await harness.register('both@example.org');
    const verification = await harness.lastToken(user.id);
    expect((await harness.reset(await harness.resetToken(user))).status).to.equal(204);
    expect((await harness.verify(verification)).status).to.equal(204);
    // the link can't be used to set another password
    expect(detailOf(await harness.claim(verification, 'yet another horse battery'))).to.include('It was used already');
  });

  it('give full access to an account that has to be verified first', async () => {
    const user = await harness.register('strict@example.org');
    const { access_token: token } = await logIn(harness, user.email);
    await harness.rows("UPDATE users SET role = 'manager' WHERE id = $1", [user.id]);
    const list = async () => await small.api.call('listUsers', { token });
    expectProblem(await list(), 'email_not_verified');
    await small.api.call('requestVerification', { body: { email: user.email } });
    await small.service.mailRequests.tick();
    expect((await harness.verify(await harness.lastToken(user.id), token)).status).to.equal(204);
    expect((await list()).status).to.equal(200);
  });

  it('are purged a week after they expire', async () => {
    const user = await harness.register('old@example.org');
    const token = await harness.resetToken(user);
    const age = async (days: number) =>
      await harness.rows(
        `UPDATE account_links SET expires_at = clock_timestamp() - make_interval(days => $2) WHERE user_id = $1`,
        [user.id, days],
      );
    await age(6);
    await harness.service.retention.tick();
    expect(detailOf(await harness.reset(token))).to.include('It has expired');
    await age(8);
    await harness.service.retention.tick();
    expect(await harness.rows('SELECT FROM account_links WHERE user_id = $1', [user.id])).to.deep.equal([]);
    expect(detailOf(await harness.reset(token))).to.include('not one that we sent');
  });

  it('end with the account', async () => {
    const user = await harness.register('leaving@example.org');
    const tokens = [await harness.lastToken(user.id), await harness.resetToken(user)] as const;
    const { access_token: token } = await logIn(harness, user.email);
    await harness.api.call('deleteUser', { token, params: { id: user.id } });
    for (const answer of [await harness.verify(tokens[0]), await harness.reset(tokens[1])]) {
      expect(detailOf(answer)).to.include('The account was deleted');
    }
    for (const { payload } of await harness.linkEvents(user.id)) {
      expectProblem(await harness.readLink(payload.link_id), 'gone');
    }
  });

  it('are rejected if they were altered, were issued for another purpose, or were made with the key of another service', async () => {
    const user = await harness.register('forged@example.org');
    const [verification, reset] = [await harness.lastToken(user.id), await harness.resetToken(user)];
    const other = await accountHarness();
    const theirs = await other.lastToken((await other.register('forged@example.org')).id);
    await other.stop();
    const last = verification.at(-1) === 'A' ? 'B' : 'A';
    const forged = [
      reset,
      theirs,
      verification.slice(0, -1) + last,
      verification.slice(4),
      `${verification}A`,
      `${verification}=`,
      'twl_',
      `twl_${'A'.repeat(64)}`,
      user.id,
      "' OR 1=1 --",
      '\u0000',
    ];
    for (const token of forged) {
      const detail = 'It is not one that we sent. Ask for a new one.';
      expect(detailOf(await harness.verify(token)), token).to.equal(detail);
    }
    expect((await harness.claim(verification)).status).to.equal(204);
  });

  it('are readable only by services with the scope for it', async () => {
    const user = await harness.register('guarded@example.org');
    const id = (await harness.linkEvents(user.id))[0]?.payload.link_id ?? '';
    expectProblem(await harness.readLink(id, reader), 'insufficient_scope');
    const admin = await loggedIn(harness, 'admin');
    const answer = await harness.api.call('getAccountLink', { token: admin.token, params: { id } });
    expect(answer.status).to.equal(403);
    expectProblem(await harness.api.call('getAccountLink', { params: { id } }), 'unauthenticated');
    expectProblem(await harness.readLink((await addUser(harness, 'member')).id), 'not_found');
  });

  /** The audit entries about reads of a user's links, oldest first. */
  const readings = async (userId: string) =>
    await harness.rows<object>(
      `SELECT actor_kind, actor_id, outcome, reason FROM audit_log
       WHERE action = 'account_link.read' AND subject_id = $1 ORDER BY at, id`,
      [userId],
    );
  const read = (outcome: string, reason: string, client = mailer) => ({
    ...{ actor_kind: 'client', actor_id: client.client_id },
    ...{ outcome, reason },
  });

  it('are read for one delivery: a second delivery revokes the link, and every reading is in the audit log', async () => {
    const user = await harness.register('twice@example.org');
    const id = (await harness.linkEvents(user.id))[0]?.payload.link_id ?? '';
    const token = await harness.lastToken(user.id);
    expect((await harness.readLink(id)).status).to.equal(200);
    const refused = await harness.readLink(id, mailer, 'another delivery');
    expect(expectProblem(refused, 'gone').detail).to.equal('It was read before; a link can be read for one mail only.');
    expect(detailOf(await harness.verify(token))).to.include('It was ended for safety');
    expect(expectProblem(await harness.readLink(id), 'gone').detail).to.include('It was ended for safety');
    expect(await readings(user.id)).to.deep.equal([
      read('success', 'verify_email'),
      read('success', 'verify_email, again'),
      read('failure', 'read_before'),
      read('failure', 'read_twice'),
    ]);
  });

  it('are read once without a delivery, and not by a reader without a delivery after another reader', async () => {
    const user = await harness.register('nameless@example.org');
    const [first = ''] = (await harness.linkEvents(user.id)).map(({ payload }) => payload.link_id);
    expect((await harness.readLink(first, mailer, null)).status).to.equal(200);
    expectProblem(await harness.readLink(first, mailer, null), 'gone');
    await harness.forgot(user.email);
    await harness.service.mailRequests.tick();
    const reset = (await harness.linkEvents(user.id)).at(-1)?.payload.link_id ?? '';
    const token = await harness.lastToken(user.id);
    expectProblem(await harness.readLink(reset, mailer, null), 'gone');
    // the user is not affected, because the mail has already been sent
    expect((await harness.reset(token)).status).to.equal(204);
    expect(await readings(user.id)).to.deep.equal([
      read('success', 'verify_email'),
      read('failure', 'read_before'),
      read('success', 'reset_password'),
      read('failure', 'read_before'),
    ]);
  });

  it('are read by one client, even if another client names the same delivery', async () => {
    const user = await harness.register('two-clients@example.org');
    const id = (await harness.linkEvents(user.id))[0]?.payload.link_id ?? '';
    expect((await harness.readLink(id, mailer, 'delivery 1')).status).to.equal(200);
    expectProblem(await harness.readLink(id, otherMailer, 'delivery 1'), 'gone');
    expect(await readings(user.id)).to.deep.include(read('failure', 'read_before', otherMailer));
  });

  it('are read for one of many concurrent deliveries', async () => {
    const user = await harness.register('crowd@example.org');
    const id = (await harness.linkEvents(user.id))[0]?.payload.link_id ?? '';
    const answers = await Promise.all(
      Array.from({ length: 20 }, async (_, number) => await harness.readLink(id, mailer, `delivery ${number % 2}`)),
    );
    const given = answers.flatMap(({ status }, number) => (status === 200 ? [number % 2] : []));
    expect(new Set(given).size).to.equal(1);
    expect(await readings(user.id)).to.have.length(20);
  });

  it("are recorded in the audit log when they don't exist or have ended", async () => {
    const user = await harness.register('ended@example.org');
    const id = (await harness.linkEvents(user.id))[0]?.payload.link_id ?? '';
    const { access_token: session } = await logIn(harness, user.email);
    expect((await harness.verify(await harness.lastToken(user.id), session)).status).to.equal(204);
    expectProblem(await harness.readLink(id), 'gone');
    expect((await readings(user.id)).at(-1)).to.deep.equal(read('failure', 'used'));
    const text =
      "SELECT FROM audit_log WHERE action = 'account_link.read' AND reason = 'unknown' AND subject_id IS NULL";
    const before = (await harness.rows(text)).length;
    expectProblem(await harness.readLink(user.id), 'not_found');
    expect(await harness.rows(text)).to.have.length(before + 1);
  });

  it('are named by id in an event of their own aggregate', async () => {
    const user = await harness.register('linked@example.org');
    const [event] = await harness.linkEvents(user.id);
    expect(Object.keys(event?.payload ?? {})).to.have.members(['user_id', 'link_id', 'timestamp']);
    // so that an undeliverable link event does not block the user's other events
    expect(event?.aggregate_id).to.equal(event?.payload.link_id);
  });

  it('appear in no row and no log line', async () => {
    const user = await harness.register('secret@example.org');
    const verification = await harness.lastToken(user.id);
    const first = await harness.resetToken(user);
    const second = await harness.resetToken(user);
    await harness.claim(verification);
    await harness.reset(first);
    await harness.reset(second);
    await harness.reset(second);
    const tables = await harness.rows<{ name: string }>(
      `SELECT quote_ident(table_name) AS name FROM information_schema.tables WHERE table_schema = 'public'`,
    );
    expect(tables).to.have.length.above(8);
    for (const token of [verification, first, second]) {
      const bytes = Buffer.from(token.slice(4), 'base64url');
      // the id of the link is not a secret; the part after it is
      const secrets = [token.slice(-40), bytes.subarray(16).toString('hex'), bytes.subarray(16).toString('base64')];
      for (const { name } of tables) {
        for (const secret of secrets) {
          const found = await harness.rows(`SELECT 1 FROM ${name} t WHERE strpos(t::text, $1) > 0`, [secret]);
          expect(found, name).to.deep.equal([]);
        }
      }
      for (const secret of secrets) expect(harness.logLines.join('')).not.to.include(secret);
    }
  });
});
