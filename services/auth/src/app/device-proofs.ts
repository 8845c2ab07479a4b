import { createHmac, timingSafeEqual } from 'node:crypto';
import { accessPeriodText, type AccessPeriod } from './access-period.ts';

/**
 * Device cookies (https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies): a device that somebody logged in with gets
 * a proof of it, which keeps it apart from strangers who guess at the account. A proof is no credential. It ends with the access period.
 */
export type DeviceProofs = {
  /** A new proof for a device that has just logged in, as the value of Set-Cookie. */
  cookieFor(period: AccessPeriod): string;
  /** Whether the proof is one for this access period, and is not too old. Without a period the answer is no, after the same work. */
  isValid(proof: string | null, period: AccessPeriod | undefined): boolean;
};

/** The proof in a request's Cookie header. */
export function deviceProofOf(cookies: string | undefined): string | null {
  return /(?:^|;\s*)taskwire_device=([^;]*)/.exec(cookies ?? '')?.[1] ?? null;
}

const form = /^(\d{1,12})\.([\w-]{43})$/;

export type DeviceProofsOptions = {
  key: Buffer;
  lifetimeSeconds: number;
  /** Whether browsers reach the service by https. */
  secure: boolean;
};

export function deviceProofs({ key, lifetimeSeconds, secure }: DeviceProofsOptions): DeviceProofs {
  function sign(period: AccessPeriod | undefined, issuedAt: number): string {
    return createHmac('sha256', key)
      .update(`${accessPeriodText(period)}\n${issuedAt}`)
      .digest('base64url');
  }

  return {
    cookieFor(period) {
      const issuedAt = secondsNow();
      const proof = `${issuedAt}.${sign(period, issuedAt)}`;
      return `taskwire_device=${proof}; Path=/; Max-Age=${lifetimeSeconds}; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`;
    },
    isValid(proof, period) {
      const [, issuedAt = '', signature = ''] = form.exec(proof ?? '') ?? [];
      const expected = Buffer.from(sign(period, Number(issuedAt)));
      const given = Buffer.from(signature);
      const isOurs = given.length === expected.length && timingSafeEqual(given, expected);
      return period !== undefined && isOurs && Number(issuedAt) > secondsNow() - lifetimeSeconds;
    },
  };
}

function secondsNow(): number {
  return Math.floor(Date.now() / 1000);
}
