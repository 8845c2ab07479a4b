import { inboxLimits } from '@taskwire/inbox';
import { z } from 'zod';
import { contentInApp } from '../app/notifications/definitions.ts';
import { env, type Env } from '../env.ts';
import { tableRetention } from '../postgres/retention.ts';

const { NOTIFICATION_DAYS, DEAD_LETTER_DAYS, DEAD_LETTER_AUDIT_DAYS } = env.shape;
const periodsEnv = z.object({ NOTIFICATION_DAYS, DEAD_LETTER_DAYS, DEAD_LETTER_AUDIT_DAYS });

/** Returns the periods that operators can set, and the fixed period for message ids. */
export function retentionPeriods(given: Pick<Env, keyof typeof periodsEnv.shape>) {
  return {
    notificationDays: given.NOTIFICATION_DAYS,
    content: contentInApp,
    resolvedDeadLetterDays: given.DEAD_LETTER_DAYS,
    deadLetterAuditDays: given.DEAD_LETTER_AUDIT_DAYS,
    retentionMs: inboxLimits.retentionMs,
  };
}

/** The retention of every table with the default periods; docs/retention.md is generated from this. */
export const defaultRetention = tableRetention(retentionPeriods(periodsEnv.parse({})));
