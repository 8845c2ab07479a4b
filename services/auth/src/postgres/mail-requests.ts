import { randomUUIDv7 } from 'node:crypto';
import { query, type Database, type Tx } from '@taskwire/postgres';
import type { MailRequests } from '../app/account-links.ts';
import type { RequestablePurpose } from '../domain/account-link.ts';
import { noOrigin, type RequestOrigin } from '../domain/audit-context.ts';
import { foldEmail } from '../domain/email-address.ts';
import { openLink, type LinkLifetimes } from './account-link-rows.ts';
import { appendAudit } from './audit-rows.ts';
import { foldedEmail } from './user-rows.ts';

/** The number of requests per batch; a stopping process can stop after each batch. */
const batch = 20;

/** Stores requests for mails, each with one statement, which is the same for every address. */
export function createMailRequests(db: Database): MailRequests {
  return {
    async add({ purpose, email, origin }) {
      await query(db.pool, 'INSERT INTO mail_requests (id, purpose, email, origin) VALUES ($1, $2, $3, $4)', [
        randomUUIDv7(),
        purpose,
        email,
        // other details of a request are not stored
        kept(origin),
      ]);
    },
  };
}

export type MailRequestOptions = {
  db: Database;
  lifetimes: LinkLifetimes;
};

/** Looks up the account of each stored request, and triggers the e-mail. Any number of replicas may run this concurrently. */
export async function processMailRequests({ db, lifetimes }: MailRequestOptions): Promise<'more' | 'idle'> {
  for (let count = 0; count < batch; count++) {
    const isAnswered = await db.transaction(async (tx) => {
      const [request] = await query<Request>(tx, claimRequest);
      if (request === undefined) return false;
      await answer(tx, request, lifetimes);
      return true;
    });
    if (!isAnswered) return 'idle';
  }
  return 'more';
}

function kept({ ip, userAgent, requestId, clientRequestId, clientId }: RequestOrigin) {
  return { ip, userAgent, requestId, clientRequestId, clientId };
}

/** Requests stored by the previous version have fewer fields. */
type Request = { purpose: RequestablePurpose; email: string; origin: Partial<ReturnType<typeof kept>> };

const actions = { verify_email: 'email.verify.request', reset_password: 'password.reset.request' } as const;

async function answer(tx: Tx, { purpose, email, origin }: Request, lifetimes: LinkLifetimes): Promise<void> {
  const [user] = await query<{ id: string; email: string; email_verified: boolean }>(tx, lockAccount, [
    foldEmail(email),
  ]);
  const audited = { actor: null, action: actions[purpose], origin: { ...noOrigin, ...origin } } as const;
  if (user === undefined) {
    await appendAudit(tx, { ...audited, subject: null, outcome: 'failure', reason: 'unknown_address' });
    return;
  }
  const subject = { kind: 'user', id: user.id } as const;
  if (purpose === 'verify_email' && user.email_verified) {
    await appendAudit(tx, { ...audited, subject, outcome: 'failure', reason: 'verified_already' });
    return;
  }
  const link = { userId: user.id, purpose, email: user.email, requestedBy: 'anyone', origin: audited.origin } as const;
  await openLink(tx, link, lifetimes);
  await appendAudit(tx, { ...audited, subject, outcome: 'success' });
}

// claims one request at a time, so that two replicas never wait for each other's user locks
const claimRequest = `
  WITH taken AS (SELECT id FROM mail_requests ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
  DELETE FROM mail_requests USING taken WHERE mail_requests.id = taken.id
  RETURNING mail_requests.purpose, mail_requests.email, mail_requests.origin`;

const lockAccount = `
  SELECT users.id, users.email, users.email_verified FROM users
  WHERE ${foldedEmail} = $1 AND users.deleted_at IS NULL FOR NO KEY UPDATE`;
