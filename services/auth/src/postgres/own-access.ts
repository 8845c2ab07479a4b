import { isoMicros, keyset, pageOf, query, type Database, type Keyset, type Tx } from '@taskwire/postgres';
import type { Consent, OpenSession } from '@taskwire/contracts';
import type { AuditContext } from '../domain/audit-context.ts';
import type { OwnAccess } from '../app/own-access.ts';
import { appendAudit } from './audit-rows.ts';
import { endBrowserLogin } from './browser-logins.ts';
import { allowedScopes, type StoredGrant } from './grant-scopes.ts';

export function createOwnAccess(db: Pick<Database, 'pool' | 'transaction'>): OwnAccess {
  return {
    async sessions(userId, place) {
      const order = latestFirst('open');
      const { condition, orderAndLimit, values } = keyset(order, place, 2);
      const text = `${selectSessions} WHERE ${condition} ${orderAndLimit}`;
      const rows = await query<Omit<OpenSession, 'current'>>(db.pool, text, [userId, ...values]);
      return pageOf(rows, order, place.limit);
    },

    async consents(userId, place) {
      const order = latestFirst('sessions');
      const { condition, orderAndLimit, values } = keyset(order, place, 2);
      const text = `${selectConsents} AND ${condition} ${orderAndLimit}`;
      const rows = await query<ConsentRow>(db.pool, text, [userId, ...values]);
      const { items, next } = pageOf(rows, order, place.limit);
      const consents = items.map(({ payload, client_id: clientId, ...consent }) => ({
        ...consent,
        clientId,
        scopes: allowedScopes(payload),
      }));
      return { items: consents, next };
    },

    async endSession(userId, id, context) {
      return await db.transaction(async (tx) => {
        const ended = await query(tx, endApiSession, [id, userId]);
        const grants = ended.length > 0 ? [] : await endBrowserLogin(tx, { id, userId });
        if (grants === undefined) return false;
        const subject = { kind: 'user', id: userId } as const;
        await appendAudit(tx, { ...context, action: 'session.end', subject, outcome: 'success', reason: id });
        for (const { client_id: client } of grants) await revoked(tx, client, context);
        return true;
      });
    },

    async endConsent(userId, id, context) {
      return await db.transaction(async (tx) => {
        const [ended] = await query<{ client_id: string }>(tx, endGrant, [id, userId]);
        if (ended !== undefined) await revoked(tx, ended.client_id, context);
        return ended !== undefined;
      });
    },
  };
}

type ConsentRow = Omit<Consent, 'current' | 'client' | 'scopes'> & {
  client_id: string;
  payload: StoredGrant;
};

const latestFirst = (alias: string): Keyset => ({
  direction: 'DESC',
  columns: {
    created_at: { sql: `${alias}.created_at`, type: 'timestamptz' },
    id: { sql: `${alias}.id`, type: 'uuid' },
  },
});

async function revoked(tx: Tx, id: string, context: AuditContext): Promise<void> {
  await appendAudit(tx, { ...context, action: 'consent.revoke', subject: { kind: 'client', id }, outcome: 'success' });
}

// a session whose refresh tokens have all expired no longer gives access
const selectSessions = `
  SELECT id, kind, ${isoMicros('open.created_at')} AS created_at, ${isoMicros('open.last_used_at')} AS last_used_at,
    ${isoMicros('open.expires_at')} AS expires_at, host(ip) AS ip, user_agent
  FROM (
    SELECT sessions.id, 'api' AS kind, sessions.created_at, greatest(sessions.created_at, tokens.latest) AS last_used_at,
      tokens.until AS expires_at, ip, user_agent
    FROM sessions, LATERAL (
      SELECT max(created_at) AS latest, max(expires_at) AS until FROM refresh_tokens
      WHERE session_id = sessions.id AND expires_at > clock_timestamp()
    ) tokens
    WHERE user_id = $1 AND payload IS NULL AND ended_at IS NULL AND sessions.expires_at > clock_timestamp()
      AND tokens.until IS NOT NULL
    UNION ALL
    SELECT login.id, 'browser', login.created_at, greatest(login.created_at, last_used_at), login.expires_at, ip, user_agent
    FROM browser_logins login JOIN users ON users.id = login.user_id
    WHERE user_id = $1 AND ended_at IS NULL AND login.expires_at > clock_timestamp()
      AND (users.tokens_valid_after IS NULL OR users.tokens_valid_after <= login.created_at)
  ) open`;

const selectConsents = `
  SELECT id, client_id, payload, ${isoMicros('sessions.created_at')} AS created_at,
    ${isoMicros('sessions.expires_at')} AS expires_at,
    ${isoMicros(`greatest(sessions.created_at, last_used_at, (
      SELECT max(created_at) FROM refresh_tokens WHERE session_id = sessions.id
    ))`)} AS last_used_at
  FROM sessions
  WHERE user_id = $1 AND payload IS NOT NULL AND ended_at IS NULL AND expires_at > clock_timestamp()`;

const endApiSession = `
  UPDATE sessions SET ended_at = clock_timestamp(), end_reason = 'logout'
  WHERE id = $1 AND user_id = $2 AND payload IS NULL AND ended_at IS NULL AND expires_at > clock_timestamp()
  RETURNING id`;

const endGrant = `
  UPDATE sessions SET ended_at = clock_timestamp(), end_reason = 'revoked'
  WHERE id = $1 AND user_id = $2 AND payload IS NOT NULL AND ended_at IS NULL AND expires_at > clock_timestamp()
  RETURNING client_id`;
