import type { Audit, Origin } from './audit.ts';
import { withAuditedRefusals } from './audited-refusals.ts';
import { createUser } from './create-user.ts';
import type { Limits, Passwords, User, Users } from './ports.ts';

/** Anybody makes an account; the role is always member. */
export function register(parts: { users: Users; passwords: Passwords; limits: Limits; audit: Audit }) {
  const create = createUser(parts);
  return async (account: { email: string; password: string; name: string }, origin: Origin): Promise<User> => {
    const by = { actor: null, origin, action: 'register' } as const;
    return await withAuditedRefusals(parts.audit, { ...by, subject: null }, async () => {
      await parts.limits.register(origin.ip ?? '');
      const user = await create({ ...account, role: 'member', emailVerified: false }, by);
      // who has chosen the password is known where they did
      await parts.limits.trust(origin, account.email);
      return user;
    });
  };
}
