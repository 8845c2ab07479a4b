import { createHash } from 'node:crypto';
import { query, type Database } from '@taskwire/postgres';
import { recipientKey, type Counted, type MailBudget, type MailBudgetSettings } from '../app/mail-budget.ts';

/**
 * Mail budgets in PostgreSQL. Counts for the same recipient or caller are serialised by transaction-level locks, so that two concurrent mails never
 * both use the last place in a budget.
 */
export function mailBudget(db: Database, { perRecipient, perCaller, windowMs }: MailBudgetSettings): MailBudget {
  return {
    async count(mail) {
      const recipient = createHash('sha256').update(recipientKey(mail)).digest();
      const limit = perRecipient[mail.kind];
      // a consistent order prevents deadlocks
      const locks = [
        `recipient ${recipient.toString('hex')}`,
        ...(mail.callerId === null ? [] : [`caller ${mail.callerId}`]),
      ];
      const counts = await db.transaction(async (tx) => {
        await query(tx, lockBudgets, [locks.sort()]);
        // a separate statement, so that its snapshot includes mails that were counted while this transaction waited for the locks
        const values = [mail.deliveryId, recipient, mail.callerId, windowMs, limit, perCaller];
        const [row] = await query<Counts>(tx, { ...countMail, values });
        return row;
      });
      if (counts === undefined) throw new Error('a mail of no delivery');
      return resultOf(counts, { recipient: limit, caller: perCaller });
    },
  };
}

type Counts = { isCounted: boolean; isRecipientOver: boolean };

function resultOf({ isCounted, isRecipientOver }: Counts, limits: Record<'recipient' | 'caller', number>): Counted {
  if (isCounted) return { kind: 'within' };
  const whose = isRecipientOver ? 'recipient' : 'caller';
  return { kind: 'over', whose, limit: limits[whose] };
}

const lockBudgets = 'SELECT pg_advisory_xact_lock(hashtextextended(key, 0)) FROM unnest($1::text[]) AS key';

// Mails may be counted in a different order than planned, so the window extends to both sides of a mail. Counting stops at the limit. A delivery that
// was skipped after it was counted, because a later mail superseded it before its handoff, is not counted, because it was never sent.
export const countMail = {
  name: 'mail_budget.count_mail',
  text: `
    WITH mail AS (
      SELECT id, created_at, $4::float8 * interval '1 ms' AS span,
        EXISTS (SELECT FROM mail_counts WHERE delivery_id = $1) AS is_counted
      FROM deliveries WHERE id = $1
    ), used AS (
      SELECT ${isUsedUp('recipient = $2', '$5')} AS is_recipient_over, ${isUsedUp('caller_id = $3::uuid', '$6')} AS is_caller_over
      FROM mail
    ), added AS (
      INSERT INTO mail_counts (delivery_id, recipient, caller_id, planned_at)
      SELECT mail.id, $2, $3, mail.created_at FROM mail, used
      WHERE NOT (mail.is_counted OR used.is_recipient_over OR used.is_caller_over)
      RETURNING delivery_id
    )
    SELECT mail.is_counted OR EXISTS (SELECT FROM added) AS "isCounted", used.is_recipient_over AS "isRecipientOver"
    FROM mail, used`,
};

function isUsedUp(whose: string, limit: string): string {
  return `(
    SELECT count(*) >= ${limit} FROM (
      SELECT FROM mail_counts JOIN deliveries d ON d.id = delivery_id
      WHERE ${whose} AND planned_at > mail.created_at - mail.span AND planned_at < mail.created_at + mail.span
        AND d.state <> 'skipped'
      LIMIT ${limit}
    ) AS counted
  )`;
}
