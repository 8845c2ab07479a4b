import { generateKeyPairSync } from 'node:crypto';
import { expect } from 'chai';
import { SignJWT } from 'jose';
import { authHarness, basic, cheapPasswords, type AuthHarness } from './support/auth-harness.ts';
import { pkce } from './support/browser.ts';

const serviceKey = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const worker = {
  client_id: 'worker',
  jwks: { keys: [serviceKey.publicKey.export({ format: 'jwk' })] },
  grants: [{ audience: 'urn:taskwire:auth', scopes: ['users:read'] }],
};
const now = () => Math.floor(Date.now() / 1000);

describe('clients that fail to authenticate', () => {
  let harness: AuthHarness;
  before(async () => {
    harness = await authHarness({ OIDC_CLIENTS: JSON.stringify([worker]) }, { passwords: cheapPasswords() });
  });
  after(async () => {
    await harness.stop();
  });

  async function assertion(claims: Record<string, unknown>, key = serviceKey.privateKey): Promise<string> {
    const usual = { iss: 'worker', sub: 'worker', aud: 'http://localhost:8080/oidc', jti: pkce().verifier };
    const times = { iat: now(), exp: now() + 60 };
    return await new SignJWT({ ...usual, ...times, ...claims }).setProtectedHeader({ alg: 'ES256' }).sign(key);
  }

  const ask = async (client_assertion: string) =>
    await harness.api.form('/oidc/token', {
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion,
    });

  const refusals: [string, () => Promise<string>, RegExp, RegExp?][] = [
    [
      'a clock that is ten minutes ahead',
      async () => await assertion({ iat: now() + 600, exp: now() + 660 }),
      /^the clock of the client is ahead of ours$/,
      /^by (599|600) seconds$/,
    ],
    [
      'a clock that is ahead, in nbf',
      async () => await assertion({ iat: undefined, nbf: now() + 90 }),
      /^the clock of the client is ahead of ours$/,
    ],
    [
      'a clock that is ten minutes behind',
      async () => await assertion({ iat: now() - 600, exp: now() - 540 }),
      /^the assertion has expired: the clock of the client is behind ours/,
      /^expired 54\d seconds ago by our clock, made 60\d seconds ago$/,
    ],
    [
      'a key that is not registered',
      async () => await assertion({}, other),
      /^no key of the client made the signature/,
    ],
    ['an assertion for another server', async () => await assertion({ aud: 'https://x' }), /audience/],
    ['an assertion without jti', async () => await assertion({ jti: undefined }), /jti/],
    [
      'an assertion with a lifetime of a day',
      async () => await assertion({ exp: now() + 86_400 }),
      /^the assertion lives too long$/,
    ],
  ];
  for (const [what, make, reason, detail] of refusals) {
    it(`are refused with ${what}, for a reason that the logs name and the response does not`, async () => {
      const logged = harness.logLines.length;
      const answer = await ask(await make());
      expect(Math.abs(Date.parse(answer.headers.get('date') ?? '') - Date.now())).to.be.below(3_000);
      expect(answer.body).to.deep.equal({
        error: 'invalid_client',
        error_description: 'client authentication failed',
      });
      const line = harness.logLines
        .slice(logged)
        .map((text) => JSON.parse(text) as Record<string, string>)
        .find(({ message }) => message === 'a client could not authenticate');
      expect(line).to.include({ level: 'warn', client: 'worker' });
      expect(line?.['reason']).to.match(reason);
      if (detail !== undefined) expect(line?.['detail']).to.match(detail);
      const { rows } = await harness.database.db.pool.query<{ reason: string }>(
        `SELECT reason FROM audit_log WHERE action = 'token.request' ORDER BY id DESC LIMIT 1`,
      );
      expect(rows[0]?.reason).to.equal(`invalid_client: ${line?.['reason']}`);
    });
  }

  it('are distinguished at introspection too: wrong method or unknown client', async () => {
    const tries: [Record<string, string>, string][] = [
      [basic('worker', 'x'.repeat(32)), 'the client is registered to authenticate with an assertion by its key'],
      [basic('unknown', 'x'.repeat(32)), 'no client has this id'],
    ];
    for (const [headers, reason] of tries) {
      const logged = harness.logLines.length;
      await harness.api.form('/oidc/introspect', { token: 'x' }, headers);
      expect(harness.logLines.slice(logged).join('')).to.include(`"reason":"${reason}"`);
    }
  });
});
