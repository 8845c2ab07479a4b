import { createHmac, timingSafeEqual } from 'node:crypto';
import { foldEmail } from '../domain/email-address.ts';
import { accessPeriodText, type AccessPeriod } from '../domain/access-period.ts';

/**
 * Device cookies (https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies): a device on which a user has logged in gets
 * a proof of that log-in, which distinguishes the device from unknown callers who guess at the account. A proof is not a credential. It becomes
 * invalid at the end of the access period.
 */
export type DeviceCookies = {
  /** Returns a new proof for a device on which a user has just logged in with this e-mail address, as the value of Set-Cookie. */
  cookieFor(period: AccessPeriod, email: string): string;
  /**
   * Whether the proof was once issued at a log-in with this address. This check reads no account and ignores later events: it is used only to decide
   * which callers are looked up first.
   */
  isHintFor(proof: string | null, email: string): boolean;
  /** Whether the proof is for this access period and not too old. Without a period the result is false, after the same work. */
  isValid(proof: string | null, period: AccessPeriod | undefined): boolean;
};

/** The proof in a request's Cookie header. */
export function deviceCookieOf(cookies: string | undefined): string | null {
  return /(?:^|;\s*)taskwire_device=([^;]*)/.exec(cookies ?? '')?.[1] ?? null;
}

const form = /^(\d{1,12})\.([\w-]{43})\.([\w-]{43})$/;

export type DeviceCookiesOptions = {
  key: Buffer;
  lifetimeSeconds: number;
  /** Whether browsers reach the service by https. */
  secure: boolean;
};

export function deviceCookies({ key, lifetimeSeconds, secure }: DeviceCookiesOptions): DeviceCookies {
  function mac(kind: 'address' | 'period', subject: string, issuedAt: number): string {
    return createHmac('sha256', key).update(`${kind}\n${subject}\n${issuedAt}`).digest('base64url');
  }

  function parse(proof: string | null) {
    const [, issuedAt = '', hint = '', signature = ''] = form.exec(proof ?? '') ?? [];
    return { issuedAt: Number(issuedAt), hint, signature };
  }

  function isFresh(issuedAt: number): boolean {
    return issuedAt > secondsNow() - lifetimeSeconds;
  }

  return {
    cookieFor(period, email) {
      const issuedAt = secondsNow();
      const macs = [mac('address', foldEmail(email), issuedAt), mac('period', accessPeriodText(period), issuedAt)];
      const proof = [issuedAt, ...macs].join('.');
      return `taskwire_device=${proof}; Path=/; Max-Age=${lifetimeSeconds}; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`;
    },
    isHintFor(proof, email) {
      const { issuedAt, hint } = parse(proof);
      return isEqual(hint, mac('address', foldEmail(email), issuedAt)) && isFresh(issuedAt);
    },
    isValid(proof, period) {
      const { issuedAt, signature } = parse(proof);
      const isOurs = isEqual(signature, mac('period', accessPeriodText(period), issuedAt));
      return period !== undefined && isOurs && isFresh(issuedAt);
    },
  };
}

function isEqual(given: string, expected: string): boolean {
  return given.length === expected.length && timingSafeEqual(Buffer.from(given), Buffer.from(expected));
}

function secondsNow(): number {
  return Math.floor(Date.now() / 1000);
}
