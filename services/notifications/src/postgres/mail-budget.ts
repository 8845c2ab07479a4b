import { createHash } from 'node:crypto';
import { gather, query, type Database, type Tx } from '@taskwire/postgres';
import {
  recipientKey,
  type Counted,
  type MailBudget,
  type MailBudgetSettings,
  type MailToCount,
} from '../app/mail-budget.ts';

/**
 * Mail budgets in PostgreSQL. Counts for the same recipient or caller are serialised by transaction-level locks, so that two concurrent mails never
 * both use the last place in a budget. Mails that are counted at the same time share a transaction.
 */
export function mailBudget(db: Database, { perRecipient, perCaller, windowMs }: MailBudgetSettings): MailBudget {
  async function countOne(tx: Tx, mail: MailToCount): Promise<Counted | undefined> {
    const limit = perRecipient[mail.kind];
    const values = [mail.deliveryId, hashOf(mail), mail.callerId, windowMs, limit, perCaller];
    const [row] = await query<Counts>(tx, { ...countMail, values });
    return row && resultOf(row, { recipient: limit, caller: perCaller });
  }

  async function countAll(mails: readonly MailToCount[]): Promise<(Counted | undefined)[]> {
    return await db.transaction(async (tx) => {
      // a consistent order prevents deadlocks
      await query(tx, { ...lockBudgets, values: [[...new Set(mails.flatMap(locksOf))].toSorted()] });
      const counted: (Counted | undefined)[] = [];
      // separate statements, so that their snapshots include mails that were counted while this transaction waited for the locks
      for (const mail of mails) counted.push(await countOne(tx, mail));
      return counted;
    });
  }

  const count = gather<MailToCount, Counted>({
    name: 'count mails',
    together: countAll,
    async alone(mail) {
      const [counted] = await countAll([mail]);
      if (counted === undefined) throw new Error('a mail of no delivery');
      return counted;
    },
  });
  return { count };
}

function hashOf(mail: MailToCount): Buffer {
  return createHash('sha256').update(recipientKey(mail)).digest();
}

function locksOf(mail: MailToCount): string[] {
  return [`recipient ${hashOf(mail).toString('hex')}`, ...(mail.callerId === null ? [] : [`caller ${mail.callerId}`])];
}

type Counts = { isCounted: boolean; isRecipientOver: boolean };

function resultOf({ isCounted, isRecipientOver }: Counts, limits: Record<'recipient' | 'caller', number>): Counted {
  if (isCounted) return { kind: 'within' };
  const whose = isRecipientOver ? 'recipient' : 'caller';
  return { kind: 'over', whose, limit: limits[whose] };
}

export const lockBudgets = {
  name: 'mail_budget.lock',
  text: 'SELECT pg_advisory_xact_lock(hashtextextended(key, 0)) FROM unnest($1::text[]) AS key',
};

// Mails may be counted in a different order than planned, so the window extends to both sides of a mail. Counting stops at the limit. A delivery that
// was skipped after it was counted, because a later mail superseded it before its handoff, is not counted, because it was never sent. Looking up the
// deliveries costs several times as much as counting, so it only happens when the limit would be reached with the skipped ones.
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
  const inWindow = `${whose} AND planned_at > mail.created_at - mail.span AND planned_at < mail.created_at + mail.span`;
  return `CASE
    WHEN (SELECT count(*) < ${limit} FROM (SELECT FROM mail_counts WHERE ${inWindow} LIMIT ${limit}) AS counted) THEN false
    ELSE (
      SELECT count(*) >= ${limit} FROM (
        SELECT FROM mail_counts JOIN deliveries d ON d.id = delivery_id WHERE ${inWindow} AND d.state <> 'skipped' LIMIT ${limit}
      ) AS counted
    )
  END`;
}
