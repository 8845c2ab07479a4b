import { createHash, createHmac, randomBytes } from 'node:crypto';

/** Opaque refresh tokens, shared by the JSON API and the provider. */
export type RefreshTokens = {
  create(): string;
  /**
   * Returns the only token that can follow this one. It is the same for every replica and every attempt, so that two tabs that refresh at once, or a
   * client whose response was lost, get the same successor. Without the key, the successor can't be derived from the token or from the database.
   */
  successorOf(token: string): string;
};

/** Lets scanners for leaked secrets recognise a token. */
const prefix = 'twr_';

export function refreshTokens(key: Buffer): RefreshTokens {
  return {
    create: () => prefix + randomBytes(32).toString('base64url'),
    successorOf: (token) => prefix + createHmac('sha256', key).update(token).digest('base64url'),
  };
}

/** A plain hash is sufficient for a value with 128 or more random bits: such a value can be neither guessed nor looked up in a table. */
export function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
