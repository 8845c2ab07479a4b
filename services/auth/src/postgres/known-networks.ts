import { createHmac } from 'node:crypto';
import { query, type Queryable } from '@taskwire/postgres';
import { accessPeriodText, type AccessPeriod } from '../domain/access-period.ts';
import { networkOf } from '../domain/network.ts';

export type KnownNetworks = {
  /** Whether the user logged in from this address's network in this access period. Without a period the result is false, after the same work. */
  has(period: AccessPeriod | undefined, ip: string): Promise<boolean>;
  add(period: AccessPeriod, ip: string): Promise<void>;
};

/**
 * The networks that are known to accounts, each for one access period. A row of an earlier period is never found again, and is deleted when it
 * expires.
 */
export function createKnownNetworks(db: Queryable, key: Buffer, lifetimeSeconds: number): KnownNetworks {
  function hashOf(period: AccessPeriod | undefined, ip: string): Buffer {
    return createHmac('sha256', key)
      .update(`${accessPeriodText(period)}\n${networkOf(ip)}`)
      .digest();
  }

  return {
    async has(period, ip) {
      const found = await query(db, { ...findNetwork, values: [hashOf(period, ip)] });
      return found.length > 0;
    },
    async add(period, ip) {
      await query(db, { ...addNetwork, values: [hashOf(period, ip), lifetimeSeconds] });
    },
  };
}

export const findNetwork = {
  name: 'known_networks.find',
  text: 'SELECT FROM known_networks WHERE hash = $1 AND expires_at > clock_timestamp()',
};

// written at most once a day, although users log in more often
export const addNetwork = {
  name: 'known_networks.add',
  text: `
    INSERT INTO known_networks (hash, expires_at) VALUES ($1, clock_timestamp() + make_interval(secs => $2))
    ON CONFLICT (hash) DO UPDATE SET expires_at = excluded.expires_at
      WHERE known_networks.expires_at < excluded.expires_at - interval '1 day'`,
};
