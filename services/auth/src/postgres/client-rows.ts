import { isDeepStrictEqual } from 'node:util';
import type { AuditAction } from '@taskwire/contracts';
import { query, type Database, type Tx } from '@taskwire/postgres';
import type { AuditContext } from '../domain/audit-context.ts';
import type { RegisteredClient, StoredClients } from '../app/ports/clients.ts';
import { appendAudit } from './audit-rows.ts';

/** The clients that were registered by command. */
export function createStoredClients(db: Pick<Database, 'pool' | 'transaction'>): StoredClients {
  /** Returns whether a row was changed. */
  async function audited(
    id: string,
    change: AuditContext & { action: AuditAction },
    statement: string,
    values: unknown[],
  ): Promise<boolean> {
    return await db.transaction(async (tx: Tx) => {
      const changed = await query(tx, statement, values);
      if (changed.length === 0) return false;
      await appendAudit(tx, { ...change, subject: { kind: 'client', id }, outcome: 'success' });
      return true;
    });
  }

  return {
    async find(id) {
      // PostgreSQL rejects NUL, and valid ids have at most 100 characters
      if (!/^[\x21-\x7e]{1,100}$/.test(id)) return undefined;
      const [row] = await query<Row>(db.pool, { ...findClient, values: [id] });
      return row?.settings;
    },
    async list() {
      const rows = await query<Row>(db.pool, 'SELECT settings FROM clients ORDER BY client_id');
      return rows.map(({ settings }) => settings);
    },
    async listQueues({ except, limit }) {
      const rows = await query<{ queue: string }>(db.pool, selectQueues, [except, limit]);
      return rows.map(({ queue }) => queue);
    },
    add: async (client, context) =>
      await audited(client.client_id, { ...context, action: 'client.add' }, insertClient, [client.client_id, client]),
    change: async (id, change, context) =>
      await db.transaction(async (tx: Tx) => {
        const [row] = await query<Row>(tx, 'SELECT settings FROM clients WHERE client_id = $1 FOR UPDATE', [id]);
        if (row === undefined) return undefined;
        const changed = change(row.settings);
        await query(tx, updateSettings, [id, changed]);
        const reason = changedFields(row.settings, changed).join(', ');
        const subject = { kind: 'client', id } as const;
        await appendAudit(tx, { ...context, action: 'client.change', subject, outcome: 'success', reason });
        return changed;
      }),
    setSecret: async (id, secretHash, context) =>
      await audited(id, { ...context, action: 'client.rotate_secret' }, updateSecret, [id, secretHash]),
    remove: async (id, context) => await audited(id, { ...context, action: 'client.remove' }, removeClient, [id]),
  };
}

/** PostgreSQL reorders the members of an object. */
function changedFields(before: RegisteredClient, after: RegisteredClient): string[] {
  const [was, is] = [before as Record<string, unknown>, after as Record<string, unknown>];
  const names = new Set([...Object.keys(was), ...Object.keys(is)]);
  return [...names].filter((name) => !isDeepStrictEqual(was[name], is[name])).sort();
}

type Row = { settings: RegisteredClient };

export const findClient = { name: 'clients.find', text: 'SELECT settings FROM clients WHERE client_id = $1' };

const selectQueues = `
  SELECT DISTINCT queue COLLATE "C" AS queue
  FROM clients, jsonb_array_elements_text(settings->'queues') AS queue
  WHERE client_id <> ALL ($1::text[])
  ORDER BY queue LIMIT $2`;

const insertClient =
  'INSERT INTO clients (client_id, settings) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING client_id';

const updateSettings = 'UPDATE clients SET settings = $2, updated_at = clock_timestamp() WHERE client_id = $1';

const updateSecret = `
  UPDATE clients SET settings = settings || jsonb_build_object('secret_hash', $2::text), updated_at = clock_timestamp()
  WHERE client_id = $1 AND settings ? 'secret_hash' RETURNING client_id`;

// the client's grants end with it
const removeClient = `
  WITH ended AS (
    UPDATE sessions SET ended_at = clock_timestamp(), end_reason = 'client_removed'
    WHERE client_id = $1 AND client_id <> 'first-party' AND ended_at IS NULL
  )
  DELETE FROM clients WHERE client_id = $1 RETURNING client_id`;
