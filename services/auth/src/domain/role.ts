/** The roles, from the most rights to the fewest. */
export const roles = ['admin', 'manager', 'member'] as const;

export type Role = (typeof roles)[number];

/** Whether a change of role revokes rights. */
export function isDemotion(before: Role, after: Role): boolean {
  return roles.indexOf(after) > roles.indexOf(before);
}
