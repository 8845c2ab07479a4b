import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { toVerificationKey, type KeySource } from '@taskwire/http-server';
import { calculateJwkThumbprint, type CryptoKey } from 'jose';
import { systemContext, type AuditContext } from '../domain/audit-context.ts';
import type { KeyRing, PublicJwk, SealedKey, SealedKeys } from '../app/ports/signing-keys.ts';
import { seal, unseal } from './sealing.ts';

/** How long keys are used before the database is read again, in milliseconds: a key added by another replica is known within this time. */
const freshMs = 10_000;

type Key = { kid: string; publicJwk: PublicJwk; privateKey: KeyObject; verifier: CryptoKey; signsAt: number };

export type SigningKeys = KeySource & {
  /** Returns the same object until the keys or the active key change. */
  ring(): Promise<KeyRing>;
};

/**
 * The signing keys of tokens. The first key is created when it is first requested. The clock determines which key signs, so a rotation requires
 * neither a restart nor coordination between replicas. Known keys remain usable during a database outage.
 */
export function createSigningKeys(
  stored: SealedKeys,
  secret: Buffer,
  /** Milliseconds, monotonic; injected by tests. */
  now: () => number = () => performance.now(),
): SigningKeys {
  /** Newest first. */
  let known: Key[] | undefined;
  let ring: KeyRing | undefined;
  let loading: Promise<Key[]> | undefined;
  let askedAt = -Infinity;

  async function load(): Promise<Key[]> {
    let keys = await stored.all();
    if (keys.length === 0) {
      await stored.addFirst(await newKey(secret));
      keys = await stored.all();
    }
    return await Promise.all(keys.map(async (key) => await open(key, known, secret, now())));
  }

  async function reload(): Promise<Key[]> {
    askedAt = now();
    loading ??= load().finally(() => {
      loading = undefined;
    });
    known = await loading;
    return known;
  }

  async function current(): Promise<Key[]> {
    if (known === undefined) return await reload();
    // reloads in the background: while keys are known, no caller waits, and after a failure the known keys stay in use
    if (now() - askedAt >= freshMs) reload().catch(() => undefined);
    return known;
  }

  return {
    async ring() {
      const keys = await current();
      const active = keys.find(({ signsAt }) => signsAt <= now()) ?? keys.at(-1);
      if (active === undefined) throw new Error('there is no signing key');
      const ordered = [active, ...keys.filter((key) => key !== active)];
      const isSame =
        ring?.keys.length === ordered.length &&
        ring.keys.every(({ publicJwk }, index) => publicJwk.kid === ordered[index]?.kid);
      if (!isSame || ring === undefined) ring = { active, keys: ordered };
      return ring;
    },
    keyFor: async (kid) => (await current()).find((key) => key.kid === kid)?.verifier,
  };
}

export type KeyRotation = ReturnType<typeof rotateKeys>;

/** Adds the next key when it is due, and removes keys that have been retired for long enough. */
export function rotateKeys(stored: SealedKeys, secret: Buffer, schedule: RotationSchedule) {
  async function addNext(context: AuditContext): Promise<boolean> {
    return await stored.addNext(await newKey(secret), schedule.overlapSeconds, context);
  }

  return {
    /** Adds the next key now; returns false if a key is already waiting to start. */
    addNext,
    /** Adds and removes the keys that are due. Any number of replicas may run this concurrently. */
    async keepSchedule(): Promise<{ added: boolean; removed: string[] }> {
      const keys = await stored.all();
      const newest = keys[0];
      const isDue = newest !== undefined && newest.signsInMs <= -schedule.rotationSeconds * 1000;
      const added = isDue && (await addNext(systemContext));
      return { added, removed: await stored.removeRetired(schedule.retiredSeconds) };
    },
  };
}

export type RotationSchedule = {
  /** The time for which a key signs. */
  rotationSeconds: number;
  /** The time for which a key is published before it signs: longer than any client caches the keys. */
  overlapSeconds: number;
  /** The time for which a key is published after it last signed: longer than its tokens are valid, or used as hints at log-out. */
  retiredSeconds: number;
};

/** A new key, sealed with the secret. */
export async function newKey(secret: Buffer): Promise<Omit<SealedKey, 'signsInMs'>> {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { kty, crv, x, y } = publicKey.export({ format: 'jwk' }) as { kty: string; crv: string; x: string; y: string };
  const kid = await calculateJwkThumbprint({ kty, crv, x, y });
  return {
    kid,
    publicJwk: { kty, crv, x, y, kid, use: 'sig', alg: 'ES256' },
    sealedPrivateKey: seal(secret, kid, privateKey.export({ format: 'der', type: 'pkcs8' })),
  };
}

/** Opens each key only once: private keys don't change, but their times may (in tests, and when clocks are adjusted). */
async function open(sealed: SealedKey, known: Key[] | undefined, secret: Buffer, now: number): Promise<Key> {
  const { kid, publicJwk } = sealed;
  const signsAt = now + sealed.signsInMs;
  const before = known?.find((key) => key.kid === kid);
  if (before !== undefined) return { ...before, signsAt };
  const verifier = await toVerificationKey(publicJwk);
  if (verifier === undefined) throw new Error(`the signing key ${kid} is of a kind that is not used here`);
  return { kid, publicJwk, privateKey: openPrivateKey(sealed, secret), verifier, signsAt };
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
