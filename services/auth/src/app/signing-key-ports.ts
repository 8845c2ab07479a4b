import type { KeyObject } from 'node:crypto';
import type { Occasion } from './audit.ts';

/** The public part of a key, as the JWKS shows it (RFC 7517). */
export type PublicJwk = { kid: string; kty: string; use: 'sig'; alg: 'ES256'; crv: string; x: string; y: string };

/** The signing keys at one moment. */
export type KeyRing = {
  /** Signs now. */
  active: { kid: string; privateKey: KeyObject };
  /** Verify: the one that signs first, then those that come and those that signed before. */
  keys: readonly { publicJwk: PublicJwk; privateKey: KeyObject }[];
};

/** A signing key as it is stored. */
export type SealedKey = {
  kid: string;
  publicJwk: PublicJwk;
  sealedPrivateKey: Buffer;
  /** When its time to sign comes, in milliseconds from now by the database's clock; not above 0 when it has come. */
  signsInMs: number;
};

/** Where signing keys are stored, for all replicas. */
export type SealedKeys = {
  /** Newest first. */
  all(): Promise<SealedKey[]>;
  /** Adds the first key; does nothing when another replica was faster. */
  addFirst(key: Omit<SealedKey, 'signsInMs'>): Promise<void>;
  /** Adds the key that is to sign after these seconds; false, and nothing done, while one is waiting for its time. */
  addNext(key: Omit<SealedKey, 'signsInMs'>, afterSeconds: number, by: Occasion): Promise<boolean>;
  /** Removes the keys whose successor has signed for longer than this. Gives their ids. */
  removeRetired(retiredForSeconds: number): Promise<string[]>;
};
