import { expect } from 'chai';
import { Registry } from 'prom-client';
import { owaspCost } from '../src/passwords/argon2id.ts';
import { createPasswords } from '../src/passwords/passwords.ts';
import { addUser, password } from './support/auth-harness.ts';
import { pkce } from './support/browser.ts';
import { oidcHarness, type OidcHarness } from './support/oidc-harness.ts';

const rounds = 15;
const generous = {
  LOGIN_FAILURES_PER_ACCOUNT_AND_IP: '100000',
  LOGIN_FAILURES_PER_IP: '100000',
  LOGIN_FAILURES_PER_ACCOUNT: '100000',
};

describe('the existence of an account', () => {
  let harness: OidcHarness;
  before(async () => {
    // the real cost of a hash, so that a missing check would be measurable
    const passwords = createPasswords({ cost: owaspCost, concurrency: 1, queue: 10, metrics: new Registry() });
    harness = await oidcHarness(generous, [], { passwords });
    // the first log-in rehashes the passwords at the real cost, so that all checks cost the same
    for (const email of [known, deleted]) await addUser(harness, 'member', { email });
    const headers = { 'x-forwarded-for': '198.51.100.1' };
    for (const email of [known, deleted]) await harness.api.call('login', { body: { email, password }, headers });
    await harness.database.db.pool.query('UPDATE users SET deleted_at = now(), password_hash = NULL WHERE email = $1', [
      deleted,
    ]);
  });
  after(async () => {
    await harness.stop();
  });

  const known = 'known@example.org';
  const deleted = 'deleted@example.org';
  const emails = [known, deleted, 'unknown@example.org', 'not an address'];

  async function medians(ask: (email: string) => Promise<unknown>): Promise<Map<string, number>> {
    const taken = new Map(emails.map((email) => [email, [] as number[]]));
    for (let round = 0; round < rounds; round++) {
      // interleaved, so that a busy moment of the machine affects all addresses
      for (const email of emails) {
        const began = performance.now();
        await ask(email);
        taken.get(email)?.push(performance.now() - began);
      }
    }
    return new Map([...taken].map(([email, ms]) => [email, ms.toSorted((a, b) => a - b)[rounds >> 1] ?? 0]));
  }

  async function expectSameTime(ask: (email: string) => Promise<unknown>): Promise<void> {
    const byEmail = await medians(ask);
    const usual = byEmail.get(known) ?? 0;
    // without the hash, the response would take a tenth of the time
    for (const [email, ms] of byEmail) expect(ms / usual, `${email}: ${ms} ms, ${usual} ms`).to.be.within(0.5, 2);
  }

  it('is revealed by neither response nor timing of the JSON API (OWASP Authentication Cheat Sheet)', async () => {
    const answers = new Set<string>();
    await expectSameTime(async (email) => {
      const { status, body, headers } = await harness.api.call('login', {
        body: { email, password: 'wrong password' },
      });
      const { request_id: _, ...problem } = body as Record<string, unknown>;
      const names = [...headers.keys()].toSorted().join();
      answers.add(JSON.stringify([status, problem, names]));
    });
    expect([...answers], [...answers].join('\n')).to.have.length(1);
  });

  it('is revealed by neither response nor timing of the log-in page', async () => {
    const browser = harness.browser();
    const page = await browser.open(harness.authorizeUrl({ code_challenge: pkce().challenge }));
    const answers = new Set<string>();
    await expectSameTime(async (email) => {
      const answer = await browser.submit(page, { email, password: 'wrong password', decision: 'log_in' });
      answers.add(`${answer.status} ${answer.text.replaceAll(email, '')}`);
    });
    expect([...answers], [...answers].join('\n')).to.have.length(1);
  });
});
