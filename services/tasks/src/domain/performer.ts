/** What decides whether somebody carries out tasks. `emailVerified` is null where it is not known (yet). */
export type Member = { role: string | null; isDeleted: boolean; emailVerified: boolean | null };

/** Whether a person has to have a verified address to be given tasks. */
export type PerformerPolicy = { requireVerifiedEmail: boolean };

/** `unverified`: a member whose address has to be verified first. */
export type PerformerStanding = 'performer' | 'no performer' | 'unverified';

/**
 * Whether a person carries out tasks. `postgres/performer-sql.ts` says the same in SQL, and a test compares the two. A row from before the directory
 * stored `emailVerified` gets the benefit of the doubt: else all tasks would lose their performers while an upgrade fills the rows in.
 */
export function standingOf({ role, isDeleted, emailVerified }: Member, policy: PerformerPolicy): PerformerStanding {
  if (isDeleted || role !== 'member') return 'no performer';
  return policy.requireVerifiedEmail && emailVerified === false ? 'unverified' : 'performer';
}

/** Whether a change of a person makes them a performer, or ends that. `before` is absent for somebody who was not known. */
export function changesPerformers(
  { before, after }: { before?: Member; after: Member },
  policy: PerformerPolicy,
): boolean {
  const performs = (member: Member | undefined) => member !== undefined && standingOf(member, policy) === 'performer';
  return performs(before) !== performs(after);
}
