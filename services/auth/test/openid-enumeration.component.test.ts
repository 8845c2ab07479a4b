import { expect } from 'chai';
import { addUser } from './support/auth-harness.ts';
import { pkce } from './support/browser.ts';
import { oidcHarness, type OidcHarness } from './support/oidc-harness.ts';

const generous = {
  LOGIN_FAILURES_PER_ACCOUNT_AND_IP: '100000',
  LOGIN_FAILURES_PER_IP: '100000',
  LOGIN_FAILURES_PER_ACCOUNT: '100000',
};

describe('a refused log-in', () => {
  let harness: OidcHarness;
  before(async () => {
    harness = await oidcHarness(generous);
    for (const email of [known, deleted]) await addUser(harness, 'member', { email });
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

  async function expectSameAnswer(ask: (email: string) => Promise<string>): Promise<void> {
    const answers = new Set<string>();
    for (const email of emails) answers.add(await ask(email));
    expect([...answers], [...answers].join('\n')).to.have.length(1);
  }

  it('has the same response in the JSON API whether or not the address has an account', async () => {
    await expectSameAnswer(async (email) => {
      const { status, body, headers } = await harness.api.call('login', {
        body: { email, password: 'wrong password' },
      });
      const { request_id: _, ...problem } = body as Record<string, unknown>;
      return JSON.stringify([status, problem, [...headers.keys()].toSorted().join()]);
    });
  });

  it('has the same log-in page whether or not the address has an account', async () => {
    const browser = harness.browser();
    const page = await browser.open(harness.authorizeUrl({ code_challenge: pkce().challenge }));
    await expectSameAnswer(async (email) => {
      const answer = await browser.submit(page, { email, password: 'wrong password', decision: 'log_in' });
      return `${answer.status} ${answer.text.replaceAll(email, '')}`;
    });
  });
});
