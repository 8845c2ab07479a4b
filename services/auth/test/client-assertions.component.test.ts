import { generateKeyPairSync } from 'node:crypto';
import { expect } from 'chai';
import { decodeJwt, SignJWT } from 'jose';
import { authHarness, basic, cheapPasswords, type AuthHarness } from './support/auth-harness.ts';
import { pkce } from './support/browser.ts';
import type { Tokens } from './support/oidc-harness.ts';

const serviceKey = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const worker = {
  client_id: 'worker',
  jwks: { keys: [serviceKey.publicKey.export({ format: 'jwk' })] },
  grants: [{ audience: 'urn:taskwire:auth', scopes: ['users:read'] }],
};

describe('private_key_jwt', () => {
  let harness: AuthHarness;
  before(async () => {
    harness = await authHarness({ OIDC_CLIENTS: JSON.stringify([worker]) }, { passwords: cheapPasswords() });
  });
  after(async () => {
    await harness.stop();
  });

  describe('client assertions (RFC 7523)', () => {
    const issuer = 'http://localhost:8080/oidc';
    type Claims = Record<string, unknown>;
    async function assertion(claims: Claims = {}, key = serviceKey.privateKey, alg = 'ES256'): Promise<string> {
      const now = Math.floor(Date.now() / 1000);
      const whole = {
        iss: 'worker',
        sub: 'worker',
        aud: issuer,
        jti: pkce().verifier,
        iat: now,
        exp: now + 60,
        ...claims,
      };
      return await new SignJWT(whole).setProtectedHeader({ alg }).sign(key);
    }
    const ask = async (client_assertion: string, api = harness.api) =>
      await api.form('/oidc/token', {
        grant_type: 'client_credentials',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion,
      });

    it('are accepted once: of a hundred concurrent uses on two replicas, one wins (section 3, jti)', async () => {
      const second = await harness.replica();
      const proof = await assertion();
      const answers = await Promise.all(
        Array.from({ length: 100 }, async (_, index) => await ask(proof, index % 2 === 0 ? harness.api : second.api)),
      );
      const won = answers.filter(({ status }) => status === 200);
      expect(won).to.have.length(1);
      for (const answer of answers) if (answer !== won[0]) expect(answer.body).to.include({ error: 'invalid_client' });
      expect(decodeJwt((won[0]!.body as Tokens).access_token)).to.include({ sub: 'worker', client_id: 'worker' });
    });

    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    const now = () => Math.floor(Date.now() / 1000);
    const wrong: [string, () => Promise<string>][] = [
      ['of another key', async () => await assertion({}, other)],
      ['for another server', async () => await assertion({ aud: 'https://other.example/token' })],
      [
        'for the token endpoint by its internal URL',
        async () => await assertion({ aud: `${harness.api.baseUrl}/oidc/token` }),
      ],
      ['of another client', async () => await assertion({ iss: 'portal' })],
      ['that have expired', async () => await assertion({ exp: now() - 60 })],
      ['that never expire', async () => await assertion({ exp: now() + 86_400 })],
      ['that are not valid yet', async () => await assertion({ nbf: now() + 600 })],
      ['without jti', async () => await assertion({ jti: undefined })],
      ['without a signature', async () => `${btoa('{"alg":"none"}')}.${(await assertion()).split('.')[1]}.`],
      [
        'signed with the public key as a secret',
        async () => {
          const text = JSON.stringify(worker.jwks.keys[0]);
          const payload = (await assertion()).split('.')[1] ?? '';
          const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Claims;
          return await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(text));
        },
      ],
    ];
    for (const [what, make] of wrong) {
      it(`${what} are rejected`, async () => {
        const answer = await ask(await make());
        expect([400, 401]).to.include(answer.status);
        expect(answer.body).not.to.have.property('access_token');
      });
    }

    it('that are huge or malformed are rejected quickly', async () => {
      for (const text of ['x', 'a.b.c', '.'.repeat(1_000), `${'A'.repeat(10_000)}.e30.x`, 'x'.repeat(15_000)]) {
        expect((await ask(text)).status, text.slice(0, 10)).to.be.oneOf([400, 401]);
      }
      // larger than the maximum body of an OAuth request
      for (const text of [`${'A'.repeat(50_000)}.e30.x`, 'x'.repeat(70_000)]) {
        expect((await ask(text)).status, text.slice(0, 10)).to.equal(413);
      }
    });

    it("can't be replaced by a secret, nor a secret by the client's name", async () => {
      const answer = await harness.api.form(
        '/oidc/token',
        { grant_type: 'client_credentials' },
        basic('worker', 'x'.repeat(32)),
      );
      expect(answer.body).to.include({ error: 'invalid_client' });
      const named = await harness.api.form('/oidc/token', { grant_type: 'client_credentials', client_id: 'worker' });
      expect(named.body).to.include({ error: 'invalid_client' });
    });
  });
});
