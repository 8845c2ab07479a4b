import type { PerformerPolicy } from '../domain/performer.ts';

/** SQL about a row of `directory_users`, by its name or alias. This is the one place in which SQL says who carries out tasks. */
export type PerformerSql = {
  /** A condition: true for a performer, null for somebody of whom only an event told. */
  performs(row: string): string;
  /** A text: a `PerformerStanding`, as `standingOf` gives it, or `unknown` for somebody of whom only an event told. */
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
