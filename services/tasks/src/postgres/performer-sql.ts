import type { PerformerPolicy } from '../domain/performer.ts';

/** SQL expressions on a row of `directory_users`, given its name or alias. The only SQL definition of a performer. */
export type PerformerSql = {
  /** A condition: true for a performer, null for a user who is known only from an event. */
  isPerformer(row: string): string;
  /** A text: an `Eligibility` as `eligibilityOf` returns it, or `unknown` for a user who is known only from an event. */
  eligibility(row: string): string;
};

export function performerSql({ requireVerifiedEmail }: PerformerPolicy): PerformerSql {
  function isPerformer(row: string): string {
    const verified = requireVerifiedEmail ? ` AND ${row}.email_verified IS NOT FALSE` : '';
    return `(${row}.role = 'member' AND NOT ${row}.is_deleted${verified})`;
  }

  return {
    isPerformer,
    eligibility: (row) => `
      CASE WHEN ${row}.is_deleted THEN 'ineligible' WHEN ${row}.role IS NULL THEN 'unknown'
        WHEN ${isPerformer(row)} THEN 'eligible' WHEN ${row}.role = 'member' THEN 'unverified' ELSE 'ineligible' END`,
  };
}
