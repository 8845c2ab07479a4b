import { query, type Queryable } from '@taskwire/postgres';
import type { RegisteredClient, StoredClients } from '../app/ports.ts';

/** The clients that the command registered. */
export function createStoredClients(db: Queryable): StoredClients {
  return {
    async find(id) {
      // PostgreSQL takes no NUL, and no id is longer
      if (!/^[\x21-\x7e]{1,100}$/.test(id)) return undefined;
      const [row] = await query<Row>(db, {
        name: 'find_client',
        text: 'SELECT settings FROM clients WHERE client_id = $1',
        values: [id],
      });
      return row?.settings;
    },
    async list() {
      const rows = await query<Row>(db, 'SELECT settings FROM clients ORDER BY client_id');
      return rows.map(({ settings }) => settings);
    },
    async add(client) {
      const added = await query(
        db,
        'INSERT INTO clients (client_id, settings) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING client_id',
        [client.client_id, client],
      );
      return added.length > 0;
    },
    async setSecret(id, secretHash) {
      const changed = await query(
        db,
        `UPDATE clients SET settings = settings || jsonb_build_object('secret_hash', $2::text), updated_at = clock_timestamp()
         WHERE client_id = $1 AND settings ? 'secret_hash' RETURNING client_id`,
        [id, secretHash],
      );
      return changed.length > 0;
    },
    async remove(id) {
      const removed = await query(db, removeClient, [id]);
      return removed.length > 0;
    },
  };
}

type Row = { settings: RegisteredClient };

// what it was allowed ends with it
const removeClient = `
  WITH ended AS (
    UPDATE sessions SET ended_at = clock_timestamp(), end_reason = 'client_removed'
    WHERE client_id = $1 AND client_id <> 'first-party' AND ended_at IS NULL
  )
  DELETE FROM clients WHERE client_id = $1 RETURNING client_id`;
