import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { toVerificationKey, type KeySource } from '@taskwire/http-server';
import { calculateJwkThumbprint, type CryptoKey } from 'jose';
import type { PublicJwk, SealedKey, SealedKeys } from '../app/ports.ts';
import { seal, unseal } from './sealing.ts';

/** How long keys are used before the database is asked again: a key that another replica brought is known after this. */
const freshMs = 10_000;

type Ring = {
  active: { kid: string; privateKey: KeyObject };
  publicJwks: PublicJwk[];
  verifiers: Map<string, CryptoKey>;
};

export type SigningKeys = KeySource & {
  /** The key that signs now. */
  active(): Promise<{ kid: string; privateKey: KeyObject }>;
  /** All keys that may have signed a token that still lives, public parts only. */
  publicJwks(): Promise<PublicJwk[]>;
};

/** The keys of access tokens. The first one is made when it is first asked for. Known keys outlive an outage of the database. */
export function createSigningKeys(
  stored: SealedKeys,
  secret: Buffer,
  /** Milliseconds, monotonic; injected by tests. */
  now: () => number = () => performance.now(),
): SigningKeys {
  let ring: Ring | undefined;
  let loading: Promise<Ring> | undefined;
  let askedAt = -Infinity;

  async function load(): Promise<Ring> {
    let keys = await stored.all();
    if (!keys.some((key) => key.isActive)) {
      await stored.addFirst(await newKey(secret));
      keys = await stored.all();
    }
    return await openRing(keys, secret);
  }

  async function reload(): Promise<Ring> {
    askedAt = now();
    loading ??= load().finally(() => {
      loading = undefined;
    });
    ring = await loading;
    return ring;
  }

  async function current(): Promise<Ring> {
    if (ring === undefined) return await reload();
    // in the background: nobody waits for keys while there are some, and a failure leaves those
    if (now() - askedAt >= freshMs) reload().catch(() => undefined);
    return ring;
  }

  return {
    active: async () => (await current()).active,
    publicJwks: async () => (await current()).publicJwks,
    keyFor: async (kid) => (await current()).verifiers.get(kid),
  };
}

async function newKey(secret: Buffer): Promise<Omit<SealedKey, 'isActive'>> {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { kty, crv, x, y } = publicKey.export({ format: 'jwk' }) as { kty: string; crv: string; x: string; y: string };
  const kid = await calculateJwkThumbprint({ kty, crv, x, y });
  return {
    kid,
    publicJwk: { kty, crv, x, y, kid, use: 'sig', alg: 'ES256' },
    sealedPrivateKey: seal(secret, kid, privateKey.export({ format: 'der', type: 'pkcs8' })),
  };
}

async function openRing(keys: SealedKey[], secret: Buffer): Promise<Ring> {
  const active = keys.find((key) => key.isActive);
  if (active === undefined) throw new Error('there is no active signing key');
  const verifiers = new Map<string, CryptoKey>();
  for (const { kid, publicJwk } of keys) {
    const key = await toVerificationKey(publicJwk);
    if (key !== undefined) verifiers.set(kid, key);
  }
  return {
    active: { kid: active.kid, privateKey: openPrivateKey(active, secret) },
    publicJwks: keys.map((key) => key.publicJwk),
    verifiers,
  };
}

function openPrivateKey({ kid, sealedPrivateKey }: SealedKey, secret: Buffer): KeyObject {
  let der: Buffer;
  try {
    der = unseal(secret, kid, sealedPrivateKey);
  } catch (cause) {
    throw new Error('KEY_ENCRYPTION_SECRET is not the one that the signing key in the database was sealed with', {
      cause,
    });
  }
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
}
