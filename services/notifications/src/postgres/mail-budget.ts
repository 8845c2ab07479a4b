import { createHash } from 'node:crypto';
import { gather, query, type Queryable } from '@taskwire/postgres';
import {
  recipientKey,
  type Counted,
  type MailBudget,
  type MailBudgetSettings,
  type MailToCount,
} from '../app/mail-budget.ts';

/**
 * Mail budgets in PostgreSQL. Counts for the same recipient or caller are serialised, so that two concurrent mails never both use the last place in a
 * budget. Mails that are counted at the same time share a transaction.
 */
export function mailBudget(db: Queryable, { perRecipient, perCaller, windowMs }: MailBudgetSettings): MailBudget {
  async function countAll(mails: readonly MailToCount[]): Promise<(Counted | undefined)[]> {
    const values = [
      mails.map(({ deliveryId }) => deliveryId),
      mails.map((mail) => createHash('sha256').update(recipientKey(mail)).digest()),
      mails.map(({ callerId }) => callerId),
      mails.map(({ kind }) => perRecipient[kind]),
      perCaller,
      windowMs,
    ];
    const rows = new Map((await query<Row>(db, { ...countMails, values })).map((row) => [row.id, row]));
    return mails.map(({ deliveryId, kind }) => {
      const row = rows.get(deliveryId);
      return row && resultOf(row, { recipient: perRecipient[kind], caller: perCaller });
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

type Row = { id: string; isCounted: boolean; isRecipientOver: boolean };

function resultOf({ isCounted, isRecipientOver }: Row, limits: Record<'recipient' | 'caller', number>): Counted {
  if (isCounted) return { kind: 'within' };
  const whose = isRecipientOver ? 'recipient' : 'caller';
  return { kind: 'over', whose, limit: limits[whose] };
}

export const countMails = {
  name: 'mail_budget.count_mails',
  text: `
    SELECT id, is_counted AS "isCounted", is_recipient_over AS "isRecipientOver"
    FROM count_mails($1, $2, $3, $4, $5, $6::float8 * interval '1 ms')`,
};
