import { createHmac } from 'node:crypto';
import { query, type Queryable } from '@taskwire/postgres';
import { networkOf } from './limits.ts';
import { foldEmail } from './user-rows.ts';

export type KnownNetworks = {
  /** Whether somebody has logged in to the account from the network of this address, not too long ago. */
  has(email: string, ip: string): Promise<boolean>;
  add(email: string, ip: string): Promise<void>;
};

/** Networks of accounts, whether there are such accounts or not: asking for one takes the same work. */
export function createKnownNetworks(db: Queryable, key: Buffer, lifetimeSeconds: number): KnownNetworks {
  function hashOf(email: string, ip: string): Buffer {
    return createHmac('sha256', key)
      .update(`${foldEmail(email)}\n${networkOf(ip)}`)
      .digest();
  }

  return {
    async has(email, ip) {
      const found = await query(db, {
        name: 'find_known_network',
        text: 'SELECT FROM known_networks WHERE hash = $1 AND expires_at > clock_timestamp()',
        values: [hashOf(email, ip)],
      });
      return found.length > 0;
    },
    async add(email, ip) {
      await query(db, { name: 'add_known_network', text: addNetwork, values: [hashOf(email, ip), lifetimeSeconds] });
    },
  };
}

// written once a day at most, although people log in more often
const addNetwork = `
  INSERT INTO known_networks (hash, expires_at) VALUES ($1, clock_timestamp() + make_interval(secs => $2))
  ON CONFLICT (hash) DO UPDATE SET expires_at = excluded.expires_at
    WHERE known_networks.expires_at < excluded.expires_at - interval '1 day'`;
