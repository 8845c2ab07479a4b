import type { Database } from '@taskwire/postgres';
import type { CommandEnv, Env } from '../env.ts';
import { createAudit } from '../postgres/audit.ts';
import { createSessions } from '../postgres/sessions.ts';
import { createUsers, type UserSettings } from '../postgres/users.ts';

/** Long enough to notice the mail about a deletion after a long weekend, and short enough that the deletion soon becomes final. */
const defaultRestoreDays = 7;
/** No user mistypes a password 20 times in a minute. During an attack that lasts all day, 120 entries a minute amount to about 50 MB of log. */
const auditedRefusals = { perNetwork: 20, perPeriod: 120 };

/** Wires the storage that most use cases share. */
export function wireStorage(env: Env, db: Database) {
  return {
    db,
    audit: createAudit(db, auditedRefusals),
    users: createUsers(db, userSettings(env)),
    sessions: createSessions(db, {
      refreshTokenDays: env.REFRESH_TOKEN_DAYS,
      sessionDays: env.SESSION_DAYS,
      graceSeconds: env.REFRESH_GRACE_SECONDS,
    }),
  };
}

export function userSettings(env: CommandEnv): UserSettings {
  const { RESTORE_DELETED_USERS_DAYS: days = defaultRestoreDays, ERASE_DELETED_USERS_DAYS: mostDays } = env;
  return {
    lifetimes: {
      verify_email: env.EMAIL_VERIFICATION_SECONDS,
      reset_password: env.PASSWORD_RESET_SECONDS,
      confirm_email: env.EMAIL_VERIFICATION_SECONDS,
      undo_email: env.EMAIL_UNDO_SECONDS,
    },
    restoreDays: Math.min(days, mostDays),
  };
}
