import { createUser } from './create-user.ts';
import type { Limits, Passwords, User, Users } from './ports.ts';

/** Anybody makes an account; the role is always member. */
export function register(parts: { users: Users; passwords: Passwords; limits: Limits }) {
  const create = createUser(parts);
  return async (account: { email: string; password: string; name: string }, ip: string): Promise<User> => {
    await parts.limits.register(ip);
    return await create({ ...account, role: 'member', emailVerified: false });
  };
}
