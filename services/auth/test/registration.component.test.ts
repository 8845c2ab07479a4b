import { expect } from 'chai';
import { accountHarness, type AccountHarness } from './support/account-harness.ts';
import { expectProblem, type Answer, type Api } from './support/api.ts';
import { addUser, logIn, password } from './support/auth-harness.ts';

describe('registration', () => {
  let harness: AccountHarness;
  const modes = new Map<string, Api>();
  before(async () => {
    harness = await accountHarness();
    for (const mode of ['invited', 'off']) modes.set(mode, (await harness.replica({ REGISTRATION: mode })).api);
    const domains = { REGISTRATION_DOMAINS: 'Example.org, bücher.example', AUTH_REQUIRE_VERIFIED_EMAIL: 'true' };
    modes.set('domains', (await harness.replica({ REGISTRATION: 'domains', ...domains })).api);
  });
  after(async () => await harness.stop());

  async function register(mode: string, email: string, more: object = {}): Promise<Answer> {
    const api = modes.get(mode) ?? harness.api;
    return await api.call('register', { body: { email, password, name: 'Rosa', ...more }, headers: harness.freshIp() });
  }

  const accounts = async () => await harness.rows('SELECT id FROM users');

  it('accepts anyone where it is open', async () => {
    const answer = await register('open', 'anyone@elsewhere.example');
    expect(answer.status).to.equal(201);
    expect(answer.body).to.include({ role: 'member', email_verified: false });
    expect(answer.headers.get('location')).to.equal(`/api/v1/users/${(answer.body as { id: string }).id}`);
  });

  it('accepts no one where it is off', async () => {
    const before = await accounts();
    expectProblem(await register('off', 'anyone@example.org'), 'registration_closed');
    expect(await accounts()).to.deep.equal(before);
  });

  it('requires an invitation where users have to be invited', async () => {
    expectProblem(await register('invited', 'anyone@example.org'), 'invitation_required');
    expectProblem(await register('invited', 'anyone@example.org', { invitation_token: 'twl_x' }), 'link_not_valid');
  });

  describe('registration by domain', () => {
    it('accepts addresses of the domains in any case, and international ones', async () => {
      const written = {
        'one@example.org': 'one@example.org',
        'TWO@EXAMPLE.ORG': 'TWO@EXAMPLE.ORG',
        'three@xn--bcher-kva.example': 'three@xn--bcher-kva.example',
        'four@Bücher.example': 'four@xn--bcher-kva.example',
        // different characters for the same domain: the domain itself is stored and mailed
        'five@ｅxample.org': 'five@example.org',
        'six@example。org': 'six@example.org',
        'seven@exam\u00adple.org': 'seven@example.org',
      };
      for (const [email, kept] of Object.entries(written)) {
        const answer = await register('domains', email);
        expect(answer.status, `${email} ${answer.text}`).to.equal(201);
        expect(answer.body).to.include({ email: kept, email_verified: false });
      }
    });

    // in some of these, e, а and о are Cyrillic
    const lookAlikes = [
      'a@evil-example.org',
      'a@example.org.evil.com',
      'a@sub.example.org',
      'a@xn--exmple-4nf.org',
      'a@exаmple.org',
      'a@example.оrg',
      'a@ex\u0301ample.org',
      'a@example.org.xn--p1ai',
      'a@example.orgg',
      'a@example.com',
      'a@org',
      'example.org@evil.com',
      'a+example.org@evil.com',
      'a%40example.org@evil.com',
    ];
    for (const email of lookAlikes) {
      it(`rejects ${email}`, async () => {
        const before = await accounts();
        const answer = await register('domains', email);
        expect(answer.status).to.equal(403);
        const { errors = [] } = expectProblem(answer, 'email_domain_not_accepted');
        expect(errors.map(({ field }) => field)).to.deep.equal(['email']);
        expect(answer.text, 'the accepted domains are not revealed').not.to.contain('bcher');
        expect(await accounts()).to.deep.equal(before);
      });
    }

    const malformed = [
      'a@evil.com@example.org',
      'user@example.org@evil',
      '"a@evil.com"@example.org',
      'a@example.org.',
      'a@.example.org',
      'a@example.org\u0000.evil.com',
      'a@example.org\r\nBcc: b@evil.com',
      'a@example.org,b@evil.com',
      'a@example.org <b@evil.com>',
      'a@[127.0.0.1]',
    ];
    for (const email of malformed) {
      it(`rejects ${JSON.stringify(email)}, which is not an address`, async () => {
        const before = await accounts();
        expectProblem(await register('domains', email), 'invalid_input');
        expect(await accounts()).to.deep.equal(before);
      });
    }
  });

  describe('a change of the address', () => {
    async function change(by: { id: string; email: string }, id: string, email: string): Promise<Answer> {
      const { access_token: token } = await logIn(harness, by.email);
      const api = modes.get('domains') ?? harness.api;
      const own = by.id === id ? { current_password: password } : {};
      return await api.call('changeUser', { token, params: { id }, body: { email, ...own } });
    }

    it('never leaves the domains, verified or not, and another spelling of the same address is not a change', async () => {
      for (const emailVerified of [false, true]) {
        const email = `leaving-${emailVerified}@elsewhere.example`;
        const user = await addUser(harness, 'member', { email, emailVerified });
        for (const other of ['eve@evil.com', 'eve@example.org.evil.com']) {
          expectProblem(await change(user, user.id, other), 'email_domain_not_accepted');
        }
        expect((await change(user, user.id, email.toUpperCase())).status).to.equal(200);
        expect((await change(user, user.id, `${emailVerified}@example.ORG`)).status).to.equal(200);
      }
    });

    it('is the responsibility of admins for other users', async () => {
      const admin = await addUser(harness, 'admin', { emailVerified: true });
      const user = await addUser(harness, 'member');
      expect((await change(admin, user.id, 'contractor@elsewhere.example')).status).to.equal(200);
    });
  });

  it("doesn't reveal accounts to excluded callers", async () => {
    const { email } = await addUser(harness, 'member', { email: 'known@elsewhere.example' });
    for (const mode of ['off', 'invited', 'domains']) {
      const problems = [];
      for (const address of [email, 'unknown@elsewhere.example']) {
        const { request_id: _, ...problem } = (await register(mode, address)).body as { request_id: string };
        problems.push(problem);
      }
      expect(problems[0], mode).to.deep.equal(problems[1]);
    }
    expectProblem(await register('open', email), 'email_taken');
  });

  it('records refusals and their reason in the audit log', async () => {
    await register('off', 'refused@example.org');
    const rows = await harness.rows<{ reason: string }>(
      "SELECT reason FROM audit_log WHERE action = 'register' AND outcome = 'failure' ORDER BY at DESC LIMIT 1",
    );
    expect(rows).to.deep.equal([{ reason: 'registration_closed' }]);
  });
});
