import { query, type Database, type Tx } from '@taskwire/postgres';
import type { AuditContext } from '../domain/audit-context.ts';
import type { LinkReader, LinkReading, LinkReadings, ReadLink } from '../app/link-readings.ts';
import { linkSubject } from '../app/read-account-link.ts';
import { appendAudit } from './audit-rows.ts';

/** Because of the row lock, only one of any number of readers is the first. */
const markRead = (table: 'account_links' | 'invitations') => `
  UPDATE ${table}
  SET read_at = coalesce(read_at, clock_timestamp()), read_by = coalesce(read_by, $2),
    read_for = CASE WHEN read_at IS NULL THEN $3 ELSE read_for END
  WHERE id = $1 AND (read_at IS NULL OR (read_by = $2 AND read_for = $3))
  RETURNING old.read_at IS NOT NULL AS again`;

const marks = { account_links: markRead('account_links'), invitations: markRead('invitations') };

const ends = {
  account_links: `
    UPDATE account_links SET revoked_at = clock_timestamp(), revoke_reason = 'read_twice'
    WHERE id = $1 AND used_at IS NULL AND revoked_at IS NULL AND expires_at > clock_timestamp()`,
  invitations: `
    UPDATE invitations SET ended_at = clock_timestamp(), end_reason = 'revoked'
    WHERE id = $1 AND end_reason IS NULL AND expires_at > clock_timestamp()`,
};

export function createLinkReadings(db: Database): LinkReadings {
  return {
    read: async (link, reader, context) => await db.transaction(async (tx) => await read(tx, link, reader, context)),
  };
}

async function read(
  tx: Tx,
  link: ReadLink,
  { client, delivery }: LinkReader,
  context: AuditContext,
): Promise<LinkReading> {
  const { id, purpose } = link;
  const table = purpose === 'invitation' ? 'invitations' : 'account_links';
  const [marked] = await query<{ again: boolean }>(tx, marks[table], [id, client, delivery ?? null]);
  // an unauthorised reader may have obtained the link before the legitimate one did, so the link must no longer be used
  if (marked === undefined && delivery !== undefined) await query(tx, ends[table], [id]);
  const entry = { ...context, action: 'account_link.read', subject: linkSubject(link) } as const;
  if (marked === undefined) await appendAudit(tx, { ...entry, outcome: 'failure', reason: 'read_before' });
  else await appendAudit(tx, { ...entry, outcome: 'success', reason: marked.again ? `${purpose}, again` : purpose });
  if (marked === undefined) return 'refused';
  return marked.again ? 'again' : 'first';
}
