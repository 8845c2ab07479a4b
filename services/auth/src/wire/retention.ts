import { z } from 'zod';
import { env, type Env } from '../env.ts';
import type { ErasureSettings } from '../postgres/erase.ts';
import { tableRetention } from '../postgres/retention.ts';

const { ERASE_DELETED_USERS_DAYS, AUDIT_ORIGIN_DAYS, AUDIT_ENTRY_DAYS } = env.shape;
const periodsEnv = z.object({ ERASE_DELETED_USERS_DAYS, AUDIT_ORIGIN_DAYS, AUDIT_ENTRY_DAYS });

/** The periods that operators can set. */
export function retentionPeriods(given: Pick<Env, keyof typeof periodsEnv.shape>): ErasureSettings {
  return {
    usersAfterDays: given.ERASE_DELETED_USERS_DAYS,
    auditOriginDays: given.AUDIT_ORIGIN_DAYS,
    auditEntryDays: given.AUDIT_ENTRY_DAYS,
  };
}

/** The retention of every table with the default periods; docs/retention.md is generated from this. */
export const defaultRetention = tableRetention(retentionPeriods(periodsEnv.parse({})));
