import { createHmac } from 'node:crypto';
import { problem } from '@taskwire/errors';
import type { Database } from '@taskwire/postgres';
import { RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible';

/** Counts attempts by subject, in a table shared by all replicas. */
export type Limiter = {
  /** Counts an attempt. @throws Problem `rate_limited` with Retry-After if it exceeds the limit; `hint` continues its sentence. */
  consume(subject: string, hint?: string): Promise<void>;
  /**
   * Counts an attempt. Returns undefined if the attempt is within the limit, and otherwise the number of seconds until the next attempt is allowed.
   */
  tryConsume(subject: string): Promise<number | undefined>;
  /** Refunds one attempt. */
  refund(subject: string): Promise<void>;
  /** Clears all attempts of the subject. */
  clear(subject: string): Promise<void>;
};

export type LimiterOptions = {
  pool: Database['pool'];
  /** Subjects are stored as HMACs under this key: plain hashes of addresses and networks could be reversed by trying all values. */
  key: Buffer;
  /** The name of the limit. It is part of each HMAC, so that rows of one subject under two limits can't be linked. */
  name: string;
  points: number;
  windowMs: number;
};

export function createLimiter({ pool, key, name, points, windowMs }: LimiterOptions): Limiter {
  const limiter = new RateLimiterPostgres({
    storeClient: pool,
    storeType: 'pool',
    tableName: 'rate_limits',
    tableCreated: true,
    clearExpiredByTimeout: false,
    keyPrefix: name,
    points,
    duration: windowMs / 1000,
    // a subject that has already exceeded the limit costs no query
    inMemoryBlockOnConsumed: points + 1,
  });

  function keyOf(subject: string): string {
    return createHmac('sha256', key).update(`${name}\n${subject}`).digest('base64url');
  }

  async function tryConsume(subject: string): Promise<number | undefined> {
    try {
      await limiter.consume(keyOf(subject));
      return undefined;
    } catch (refused) {
      if (!(refused instanceof RateLimiterRes)) throw refused;
      return Math.max(1, Math.ceil(refused.msBeforeNext / 1000));
    }
  }

  return {
    tryConsume,
    async consume(subject, hint) {
      const seconds = await tryConsume(subject);
      if (seconds !== undefined) throw rateLimited(seconds, hint);
    },
    async refund(subject) {
      await limiter.reward(keyOf(subject));
    },
    async clear(subject) {
      await limiter.delete(keyOf(subject));
    },
  };
}

/** Returns the refusal of an attempt that may be repeated after this number of seconds. `hint` continues its sentence. */
export function rateLimited(seconds: number, hint = '') {
  return problem('rate_limited', `Try again in ${seconds} s${hint}.`, { headers: { 'Retry-After': String(seconds) } });
}
