/** The fields that decide whether a user is a performer. `emailVerified` is null while unknown. */
export type Member = { role: string | null; isDeleted: boolean; emailVerified: boolean | null };

/** Whether performers need a verified e-mail address. */
export type PerformerPolicy = { requireVerifiedEmail: boolean };

/**
 * Whether a user can be assigned tasks. `eligible`: the user is a performer. `unverified`: a member who must verify
 * their address first. `unknown`: the directory has no user with this id. `not_contributor`: a performer who is neither contributor nor lead of the
 * task's project.
 */
export type Eligibility = 'eligible' | 'ineligible' | 'unverified' | 'unknown' | 'not_contributor';

/**
 * A user's eligibility to carry out tasks. `postgres/performer-sql.ts` implements the same rule in SQL, and a test
 * compares the two. Rows stored before the directory had `emailVerified` get the benefit of the doubt: otherwise all
 * tasks would lose their performers while an upgrade fills in the column.
 */
export function eligibilityOf({ role, isDeleted, emailVerified }: Member, policy: PerformerPolicy): Eligibility {
  if (isDeleted || role !== 'member') return 'ineligible';
  return policy.requireVerifiedEmail && emailVerified === false ? 'unverified' : 'eligible';
}

/** Whether a change to a user makes them a performer, or makes a performer lose that status. `before` is absent for a user who was unknown. */
export function changesPerformers(
  { before, after }: { before?: Member; after: Member },
  policy: PerformerPolicy,
): boolean {
  const performs = (member: Member | undefined) => member !== undefined && eligibilityOf(member, policy) === 'eligible';
  return performs(before) !== performs(after);
}
