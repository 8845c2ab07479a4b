import type { PerformerPolicy } from '../domain/performer.ts';

/** SQL expressions on a row of `directory_users`, given its name or alias. The only SQL definition of a performer. */
export type PerformerSql = {
  /** A condition: true for a performer, null for a user who is known only from an event. */
  performs(row: string): string;
  /**
   * A text: a `PerformerStanding` as `standingOf` returns it, or `unknown` for a user who is known only from an event.
   */
  standing(row: string): string;
};

export function performerSql({ requireVerifiedEmail }: PerformerPolicy): PerformerSql {
  function performs(row: string): string {
    const verified = requireVerifiedEmail ? ` AND ${row}.email_verified IS NOT FALSE` : '';
    return `(${row}.role = 'member' AND NOT ${row}.is_deleted${verified})`;
  }

  return {
    performs,
    standing: (row) => `
      CASE WHEN ${row}.is_deleted THEN 'no performer' WHEN ${row}.role IS NULL THEN 'unknown'
        WHEN ${performs(row)} THEN 'performer' WHEN ${row}.role = 'member' THEN 'unverified' ELSE 'no performer' END`,
  };
}
