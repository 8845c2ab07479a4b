import { createHmac, timingSafeEqual } from 'node:crypto';
import { uuid } from '@taskwire/contracts';
import type { TokenPurpose } from './account-links.ts';

/** Tokens of mailed links: made from the id of the link, and known by it again, so that no row has them. */
export type LinkTokens = {
  /** The same each time. */
  tokenOf(link: { id: string; purpose: TokenPurpose }): string;
  /** The id of the link that has this token; undefined when it was not made here, or for another purpose. */
  idOf(token: string, purpose: TokenPurpose): string | undefined;
};

/** Lets scanners for leaked secrets know a token when they see one. */
const prefix = 'twl_';
/** The bytes of a UUID; the rest is the whole of a SHA-256 HMAC. */
const idLength = 16;
/** 48 bytes. base64url has one spelling of them, since none of its bits are left over. */
const form = new RegExp(`^${prefix}[\\w-]{64}$`);

export function linkTokens(key: Buffer): LinkTokens {
  function mac(id: Buffer, purpose: TokenPurpose): Buffer {
    return createHmac('sha256', key).update(`${purpose} `).update(id).digest();
  }

  return {
    tokenOf({ id, purpose }) {
      const bytes = Buffer.from(id.replaceAll('-', ''), 'hex');
      return prefix + Buffer.concat([bytes, mac(bytes, purpose)]).toString('base64url');
    },
    idOf(token, purpose) {
      if (!form.test(token)) return undefined;
      const bytes = Buffer.from(token.slice(prefix.length), 'base64url');
      const id = bytes.subarray(0, idLength);
      if (!timingSafeEqual(bytes.subarray(idLength), mac(id, purpose))) return undefined;
      return uuid.parse(id.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'));
    },
  };
}
