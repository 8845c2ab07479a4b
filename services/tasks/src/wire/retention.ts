import { inboxLimits } from '@taskwire/inbox';
import { z } from 'zod';
import { env, type Env } from '../env.ts';
import { tableRetention } from '../postgres/retention.ts';

const {
  DELETED_TASK_DAYS,
  OCCURRENCE_DAYS,
  SETTLED_JOB_DAYS,
  DEAD_JOB_DAYS,
  DEAD_LETTER_DAYS,
  DEAD_LETTER_AUDIT_DAYS,
} = env.shape;
const periodsEnv = z.object({
  ...{ DELETED_TASK_DAYS, OCCURRENCE_DAYS, SETTLED_JOB_DAYS, DEAD_JOB_DAYS },
  ...{ DEAD_LETTER_DAYS, DEAD_LETTER_AUDIT_DAYS },
});

/** The periods that operators can set, and the period of message ids. */
export function retentionPeriods(given: Pick<Env, keyof typeof periodsEnv.shape>) {
  return {
    deletedTaskDays: given.DELETED_TASK_DAYS,
    settledJobDays: given.SETTLED_JOB_DAYS,
    deadJobDays: given.DEAD_JOB_DAYS,
    jobAuditDays: given.DEAD_LETTER_AUDIT_DAYS,
    occurrenceDays: given.OCCURRENCE_DAYS,
    resolvedDeadLetterDays: given.DEAD_LETTER_DAYS,
    deadLetterAuditDays: given.DEAD_LETTER_AUDIT_DAYS,
    retentionMs: inboxLimits.retentionMs,
  };
}

/** The retention of every table with the default periods; docs/retention.md is generated from it. */
export const defaultRetention = tableRetention(retentionPeriods(periodsEnv.parse({})));
