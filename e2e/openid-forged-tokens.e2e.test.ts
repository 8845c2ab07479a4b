import { createDecipheriv, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { decodeJwt, SignJWT } from 'jose';
import pg from 'pg';
import { newMember, send, type Person } from './front-end.ts';
import { useSuite } from './suite.ts';

const paths = {
  auth: '/api/v1/users/me',
  tasks: '/api/v1/tasks?limit=1',
  notifications: '/api/v1/notifications?limit=1',
} as const;
const services = ['auth', 'tasks', 'notifications'] as const;

/** Everything that a forger could know (the public key, a valid token), and also Auth's private key, which no forger has. */
type Known = { privateKey: KeyObject; kid: string; claims: Claims; token: string; evil: string };
type Header = Record<string, unknown>;
type Claims = Record<string, unknown>;

const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString('base64url');
const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const inAMinute = () => Math.floor(Date.now() / 1000) + 60;

describe('Forged access tokens, at every service, through the gateway and directly', () => {
  const suite = useSuite();
  const asked: string[] = [];
  const evilSite = createServer((request, response) => {
    asked.push(request.url ?? '');
    const jwk = { ...stranger.publicKey.export({ format: 'jwk' }), kid: 'evil', alg: 'ES256', use: 'sig' };
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [jwk] }));
  });
  let person: Person;
  let known: Known;

  before(async () => {
    await new Promise<void>((resolve) => evilSite.listen(0, '127.0.0.1', resolve));
    person = await newMember(suite());
    const evil = `http://127.0.0.1:${(evilSite.address() as AddressInfo).port}`;
    known = { ...(await signingKey()), claims: decodeJwt(person.token), token: person.token, evil };
  });
  after(() => void evilSite.close());

  /** Auth's signing key from its database, decrypted with its secret. */
  async function signingKey(): Promise<{ kid: string; privateKey: KeyObject }> {
    const client = new pg.Client({ connectionString: suite().databaseUrl('auth') });
    await client.connect();
    const { rows } = await client.query<{ kid: string; private_key: Buffer }>(
      'SELECT kid, private_key FROM signing_keys WHERE signs_from < now() ORDER BY signs_from DESC LIMIT 1',
    );
    await client.end();
    const [row] = rows;
    const secret = Buffer.from(suite().envOf('auth')['KEY_ENCRYPTION_SECRET'] ?? '', 'base64');
    if (row === undefined) throw new Error('Auth has no key');
    // the format of ADR 16: a nonce of 12 bytes and a tag of 16 before the key, with the kid as additional data
    const sealed = row.private_key;
    const opener = createDecipheriv('aes-256-gcm', secret, sealed.subarray(0, 12)).setAAD(Buffer.from(row.kid));
    opener.setAuthTag(sealed.subarray(12, 28));
    const key = Buffer.concat([opener.update(sealed.subarray(28)), opener.final()]);
    return { kid: row.kid, privateKey: createPrivateKey({ key, format: 'der', type: 'pkcs8' }) };
  }

  /** Expects every service to reject the token quickly as invalid, and never with a server error. */
  async function expectRefused(token: string, what = ''): Promise<void> {
    for (const service of services) {
      for (const base of [suite().url, suite().serviceUrl(service)]) {
        const began = performance.now();
        const answer = await send(base, 'GET', paths[service], { token });
        expect(answer.status, `${service}: ${what} ${token.slice(0, 300)}`).to.equal(401);
        expect(answer.body.code).to.be.oneOf(['invalid_token', 'token_expired', 'access_revoked']);
        expect(answer.headers.get('www-authenticate')).to.match(/^Bearer error="invalid_token"/);
        expect(performance.now() - began).to.be.below(2_000);
      }
    }
  }

  const signed = async (claims: Claims, header: Header = {}, key: KeyObject = known.privateKey) =>
    await new SignJWT({ ...known.claims, ...claims })
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: known.kid, ...header })
      .sign(key);
  /** An HMAC with any bytes as the key, some of which a library would refuse. */
  const hmac = async (key: Buffer, header: Header = {}) =>
    await new SignJWT(known.claims)
      .setProtectedHeader({ typ: 'at+jwt', kid: known.kid, ...header, alg: 'HS256' })
      .sign(key.length > 0 ? key : Buffer.alloc(1));

  it('are accepted when Auth has signed them, so each refusal below has the cause in its title', async () => {
    const token = await signed({});
    for (const service of services) {
      for (const base of [suite().url, suite().serviceUrl(service)]) {
        expect((await send(base, 'GET', paths[service], { token })).status, service).to.equal(200);
      }
    }
  });

  it('without a signature prove nothing, however "none" is written (RFC 8725 sections 2.1 and 3.1)', async () => {
    const payload = encode(known.claims);
    for (const alg of ['none', 'None', 'NONE', 'nOnE', '', null]) {
      const header = encode({ alg, typ: 'at+jwt', kid: known.kid });
      for (const signature of ['', 'AA', known.token.split('.')[2]])
        await expectRefused(`${header}.${payload}.${signature}`);
    }
  });

  it('signed with the public key as a secret prove nothing (key confusion, RFC 8725 section 2.1)', async () => {
    const key = createPublicKey(known.privateKey);
    const jwks = await (await fetch(`${suite().url}/oidc/jwks`)).text();
    const secrets = [
      key.export({ format: 'pem', type: 'spki' }),
      key.export({ format: 'der', type: 'spki' }),
      JSON.stringify(key.export({ format: 'jwk' })),
      jwks,
      Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url'),
    ];
    for (const secret of secrets) await expectRefused(await hmac(Buffer.from(secret)));
  });

  it('of another key, or with an all-zero or truncated signature, prove nothing (RFC 7515 section 5.2)', async () => {
    await expectRefused(await signed({}, {}, stranger.privateKey));
    const [header, payload, signature = ''] = (await signed({})).split('.');
    for (const other of ['A'.repeat(86), signature.slice(0, 40), `${signature}AAAA`, '']) {
      await expectRefused(`${header}.${payload}.${other}`);
    }
    await expectRefused(`${header}.${encode({ ...known.claims, role: 'admin' })}.${signature}`);
  });

  it('with a kid that is a path, SQL, a URL or a JavaScript property find no key (RFC 8725 section 3.10)', async () => {
    const kids = [
      '../../../../../../dev/null',
      '/proc/self/environ',
      "' OR '1'='1",
      "x' UNION SELECT 'AA' AS public_jwk --",
      `${known.evil}/jwks`,
      '__proto__',
      'constructor',
      'toString',
      '\u0000',
      'x'.repeat(1_000),
      '',
      0,
      null,
      { $ne: '' },
    ];
    for (const kid of kids) {
      await expectRefused(await signed({}, { kid }, stranger.privateKey), String(kid));
      await expectRefused(await hmac(Buffer.alloc(0), { kid }), String(kid));
    }
  });

  it('that bring their own key, or link to it, are refused without a request to the link (RFC 8725 section 3.10: jku, x5u, jwk, x5c)', async () => {
    const jwk = stranger.publicKey.export({ format: 'jwk' });
    const x5c = [stranger.publicKey.export({ format: 'der', type: 'spki' }).toString('base64')];
    const headers: Header[] = [
      { jwk },
      { jku: `${known.evil}/jwks`, kid: 'evil' },
      { jku: `${known.evil}/jwks` },
      { x5u: `${known.evil}/cert.pem`, kid: 'evil' },
      { x5c },
      { kid: undefined, jwk, jku: `${known.evil}/jwks`, x5u: `${known.evil}/cert.pem`, x5c },
    ];
    for (const header of headers) await expectRefused(await signed({}, header, stranger.privateKey));
    expect(asked).to.deep.equal([]);
  });

  it('that ask for an unsupported extension are refused (RFC 7515 section 4.1.11)', async () => {
    const payload = encode(known.claims);
    const signature = known.token.split('.')[2];
    for (const more of [
      { crit: ['exp'], exp: inAMinute() },
      { crit: ['b64'], b64: false },
      { crit: [] },
      { zip: 'DEF' },
    ]) {
      await expectRefused(
        `${encode({ alg: 'ES256', typ: 'at+jwt', kid: known.kid, ...more })}.${payload}.${signature}`,
      );
    }
  });

  const now = () => Math.floor(Date.now() / 1000);
  const wrong: [string, () => Claims, Header?][] = [
    ['for another audience (RFC 9068 section 4)', () => ({ aud: 'urn:taskwire:other' })],
    ['for no audience', () => ({ aud: undefined })],
    [
      'for an audience that shares only a prefix',
      () => ({ aud: ['urn:taskwire:auth2', 'urn:taskwire:task', 'urn:taskwire:'] }),
    ],
    ['of another issuer (RFC 9068 section 4)', () => ({ iss: 'https://issuer.example/oidc' })],
    ['of an issuer in another spelling', () => ({ iss: `${String(known.claims['iss'])}/` })],
    ['of no issuer', () => ({ iss: undefined })],
    ['of another type: an ID token (RFC 8725 section 3.11)', () => ({}), { typ: 'JWT' }],
    ['of another type: a log-out token', () => ({}), { typ: 'logout+jwt' }],
    ['of no type', () => ({}), { typ: undefined }],
    ['that expired (RFC 7519 section 4.1.4)', () => ({ iat: now() - 700, exp: now() - 30 })],
    ['that never expire', () => ({ exp: undefined })],
    ['that are not valid yet (RFC 7519 section 4.1.5)', () => ({ nbf: inAMinute() })],
    ['without a time of issue', () => ({ iat: undefined })],
    ['without a subject', () => ({ sub: undefined })],
    ['of a subject that is not a user', () => ({ sub: 'admin' })],
    ['with an unknown role', () => ({ role: 'root' })],
    ['of services, without a client', () => ({ sub: 'tasks', client_id: undefined })],
  ];
  for (const [what, claims, header] of wrong) {
    it(`${what} are refused although Auth's key signed them`, async () => {
      await expectRefused(await signed(claims(), header));
    });
  }

  it('with times that are strings are refused', async () => {
    const header = { alg: 'ES256', typ: 'at+jwt', kid: known.kid };
    const texts: Claims[] = [{ exp: String(inAMinute()) }, { nbf: '0' }, { iat: 'now' }, { exp: { $gt: 0 } }];
    for (const claims of texts) {
      const text = new SignJWT({ ...known.claims, ...claims }).setProtectedHeader(header);
      await expectRefused(await text.sign(known.privateKey), JSON.stringify(claims));
    }
  });

  it('that are malformed or huge are refused at once, and never with a server error', async () => {
    const [header = '', payload = '', signature = ''] = known.token.split('.');
    const texts = [
      'x',
      'a.b',
      'a.b.c',
      '..',
      `${header}.${payload}`,
      `${header}.${payload}.${signature}.${signature}.${signature}`,
      `${header}..${signature}`,
      `${encode([])}.${payload}.${signature}`,
      `${encode(null)}.${payload}.${signature}`,
      `${header}.${encode('text')}.${signature}`,
      `${Buffer.from('{"alg":"ES256"').toString('base64url')}.${payload}.${signature}`,
      `${Buffer.from([0xff, 0xfe, 0x00]).toString('base64url')}.${payload}.${signature}`,
      `${header}.${'A'.repeat(4_000)}.${signature}`,
      await signed({ filler: 'x'.repeat(8_000) }),
    ];
    for (const text of texts) await expectRefused(text);
    for (const service of services) {
      for (const base of [suite().url, suite().serviceUrl(service)]) {
        const { status } = await send(base, 'GET', paths[service], {
          token: `${header}.${'A'.repeat(60_000)}.${signature}`,
        });
        expect(status, service).to.be.within(400, 431);
      }
    }
  });

  it('are not read from URLs or bodies, which logs would keep (RFC 9700 section 4.3.2)', async () => {
    for (const service of services) {
      const separator = paths[service].includes('?') ? '&' : '?';
      const answer = await send(suite().url, 'GET', `${paths[service]}${separator}access_token=${known.token}`);
      expect(answer.status).to.equal(401);
    }
  });
});
