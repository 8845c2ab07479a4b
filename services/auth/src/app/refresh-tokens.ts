import { createHash, createHmac, randomBytes } from 'node:crypto';

/** Opaque refresh tokens, of the JSON API and of the provider alike. */
export type RefreshTokens = {
  create(): string;
  /**
   * The one token that may follow this one: the same for every replica and every try, so that two tabs that refresh at once, or one
   * whose answer was lost, get the same. Nobody can tell it from the token, or from the database, without the key.
   */
  successorOf(token: string): string;
};

/** Lets scanners for leaked secrets know a token when they see one. */
const prefix = 'twr_';

export function refreshTokens(key: Buffer): RefreshTokens {
  return {
    create: () => prefix + randomBytes(32).toString('base64url'),
    successorOf: (token) => prefix + createHmac('sha256', key).update(token).digest('base64url'),
  };
}

/** A plain hash is enough for what has 128 random bits or more: it can be neither guessed nor looked up in a table. */
export function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
