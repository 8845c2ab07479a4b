import { createHmac, timingSafeEqual } from 'node:crypto';
import { uuid } from '@taskwire/contracts';
import type { TokenPurpose } from '../domain/account-link.ts';

/** Tokens of mailed links. They are derived from the link's id and can be mapped back to it, so no row stores them. */
export type LinkTokens = {
  /** Returns the same token each time. */
  tokenOf(link: { id: string; purpose: TokenPurpose }): string;
  /** The id of the link with this token; undefined if this service did not create the token, or created it for another purpose. */
  idOf(token: string, purpose: TokenPurpose): string | undefined;
};

/** Lets scanners for leaked secrets recognise a token. */
const prefix = 'twl_';
/** The bytes of a UUID; the rest is a complete SHA-256 HMAC. */
const idLength = 16;
/** 48 bytes. Their base64url encoding is unique, since no bits are left over. */
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
