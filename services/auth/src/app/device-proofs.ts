import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/**
 * Device cookies (https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies): who has logged in to an account gets
 * a proof of it, which lets their device try again while others guess at the account. It lets nobody in.
 */
export type DeviceProofs = {
  /** A new proof for a device that has just logged in to the account of this address, as the value of Set-Cookie. */
  cookieFor(email: string): string;
  /** The device's own number, when the proof is one for this account; undefined for any other text. */
  deviceOf(proof: string | null, email: string): string | undefined;
};

/** The proof that a request's Cookie header has. */
export function deviceProofOf(cookies: string | undefined): string | null {
  return /(?:^|;\s*)taskwire_device=([^;]*)/.exec(cookies ?? '')?.[1] ?? null;
}

const form = /^([\w-]{22})\.(\d{1,12})\.([\w-]{43})$/;

export type DeviceProofsOptions = {
  key: Buffer;
  lifetimeSeconds: number;
  /** Whether browsers reach the service by https. */
  secure: boolean;
};

export function deviceProofs({ key, lifetimeSeconds, secure }: DeviceProofsOptions): DeviceProofs {
  function sign(email: string, device: string, issuedAt: number): string {
    return createHmac('sha256', key)
      .update(`${email.trim().toLowerCase()}\n${device}\n${issuedAt}`)
      .digest('base64url');
  }

  return {
    cookieFor(email) {
      const device = randomBytes(16).toString('base64url');
      const issuedAt = secondsNow();
      const proof = `${device}.${issuedAt}.${sign(email, device, issuedAt)}`;
      return `taskwire_device=${proof}; Path=/; Max-Age=${lifetimeSeconds}; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`;
    },
    deviceOf(proof, email) {
      const [, device = '', issuedAt = '', signature = ''] = form.exec(proof ?? '') ?? [];
      const expected = Buffer.from(sign(email, device, Number(issuedAt)));
      const given = Buffer.from(signature);
      const isOurs = given.length === expected.length && timingSafeEqual(given, expected);
      return isOurs && Number(issuedAt) > secondsNow() - lifetimeSeconds ? device : undefined;
    },
  };
}

function secondsNow(): number {
  return Math.floor(Date.now() / 1000);
}
