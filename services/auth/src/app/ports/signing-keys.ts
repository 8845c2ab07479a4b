import type { KeyObject } from 'node:crypto';
import type { AuditContext } from '../../domain/audit-context.ts';

/** The public part of a key, as published in the JWKS (RFC 7517). */
export type PublicJwk = { kid: string; kty: string; use: 'sig'; alg: 'ES256'; crv: string; x: string; y: string };

/** The signing keys at one moment. */
export type KeyRing = {
  /** The key that currently signs. */
  active: { kid: string; privateKey: KeyObject };
  /** Verification keys: the active signing key first, then upcoming and retired keys. */
  keys: readonly { publicJwk: PublicJwk; privateKey: KeyObject }[];
};

/** A signing key as stored. */
export type SealedKey = {
  kid: string;
  publicJwk: PublicJwk;
  sealedPrivateKey: Buffer;
  /** Milliseconds until the key starts signing, by the database's clock; 0 or less once it has started. */
  signsInMs: number;
};

/** Storage of signing keys, shared by all replicas. */
export type SealedKeys = {
  /** Newest first. */
  all(): Promise<SealedKey[]>;
  /** Adds the first key; does nothing if another replica has already added one. */
  addFirst(key: Omit<SealedKey, 'signsInMs'>): Promise<void>;
  /** Adds a key that starts signing after this number of seconds. Returns false, without adding a key, if another key is waiting to start. */
  addNext(key: Omit<SealedKey, 'signsInMs'>, afterSeconds: number, context: AuditContext): Promise<boolean>;
  /**
   * Replaces the sealed private parts with those that `reseal` returns; for undefined, a key is left unchanged. While `reseal` runs, no key is added
   * or replaced. If it throws, no key changes. Returns the number of replaced keys.
   */
  replaceSealed(
    reseal: (key: { kid: string; sealed: Buffer }) => Buffer | undefined,
    context: AuditContext,
  ): Promise<number>;
  /** Removes keys whose successor has been signing for longer than this. Returns their ids. */
  removeRetired(retiredForSeconds: number): Promise<string[]>;
};
