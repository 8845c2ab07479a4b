import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { expect } from 'chai';
import { fields } from '../src/index.ts';

const jwk = (key: KeyObject) => key.export({ format: 'jwk' }) as Record<string, unknown>;
const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve });
const rsa = (modulusLength: number) => jwk(generateKeyPairSync('rsa', { modulusLength }).publicKey);
const p256 = jwk(ec('P-256').publicKey);
const messagesOf = (...keys: unknown[]) =>
  (fields.clientJwks.safeParse({ keys }).error?.issues ?? []).map(({ message }) => message).join();

describe('public keys of clients', () => {
  const good: [string, Record<string, unknown>][] = [
    ['EC P-256', p256],
    ['EC P-256 for signatures', { ...p256, alg: 'ES256', use: 'sig', key_ops: ['verify'], kid: 'a' }],
    ['Ed25519', jwk(generateKeyPairSync('ed25519').publicKey)],
    ['Ed25519 by its older name', { ...jwk(generateKeyPairSync('ed25519').publicKey), alg: 'EdDSA' }],
    ['RSA of 2,048 bits', { ...rsa(2_048), alg: 'PS256' }],
  ];
  for (const [what, key] of good) it(`are accepted: ${what}`, () => expect(messagesOf(key)).to.equal(''));

  const bad: [string, unknown, RegExp][] = [
    ['a private key', jwk(ec('P-256').privateKey), /private or secret key material/],
    [
      'a private RSA key',
      jwk(generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey),
      /private or secret key material/,
    ],
    ['a secret', { kty: 'oct', k: 'c2VjcmV0' }, /private or secret key material/],
    ['another curve', jwk(ec('P-384').publicKey), /must be a public key for ES256/],
    ['Ed448', jwk(generateKeyPairSync('ed448').publicKey), /must be a public key for ES256/],
    ['X25519', jwk(generateKeyPairSync('x25519').publicKey), /must be a public key for ES256/],
    ['an unknown kind', { kty: 'AKP' }, /must be a public key for ES256/],
    ['too few bits', rsa(1_024), /has 1024 bits; an RSA key needs 2048/],
    ['another algorithm', { ...rsa(2_048), alg: 'RS256' }, /has "alg" RS256; it must be PS256/],
    ['encryption', { ...p256, use: 'enc' }, /not for signatures/],
    ['signing alone', { ...p256, key_ops: ['sign'] }, /not for signatures/],
    ['members that are missing', { kty: 'EC', crv: 'P-256', x: p256['x'] }, /do not form a public key/],
    ['a point that is not on the curve', { ...p256, x: p256['y'] }, /do not form a public key/],
    ['no kind', {}, /expected string/],
  ];
  for (const [what, key, fault] of bad) it(`are rejected: ${what}`, () => expect(messagesOf(key)).to.match(fault));

  it('are rejected when the set is empty', () => expect(messagesOf()).to.equal('must have a key'));
});
