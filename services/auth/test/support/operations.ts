import { authRoutes, type Route } from '@taskwire/contracts';
import { password, type AuthHarness } from './auth-harness.ts';

export type Operation = keyof typeof authRoutes;

export const operations = Object.keys(authRoutes) as Operation[];
export const contract = (operation: Operation): Route => authRoutes[operation];
export const withJson = operations.filter((operation) => {
  const { body, bodyType } = contract(operation);
  return body !== undefined && bodyType === undefined;
});
export const guarded = operations.filter((operation) => contract(operation).access.kind !== 'anyone');
export const forUsers = operations.filter((operation) => contract(operation).access.kind === 'user');
export const forServices = operations.filter((operation) => contract(operation).access.kind === 'service');
export const withId = operations.filter((operation) => contract(operation).params !== undefined);
export const lists = ['listUsers', 'listInternalUsers'] as const;

/** A valid body of each operation. */
export const goodBodies: Partial<Record<Operation, Record<string, unknown>>> = {
  register: { email: 'good@example.org', password, name: 'Good' },
  login: { email: 'good@example.org', password },
  refresh: { refresh_token: 'twr_x' },
  forgotPassword: { email: 'good@example.org' },
  resetPassword: { token: 'twl_x', new_password: password },
  verifyEmail: { token: 'twl_x', new_password: password },
  confirmEmail: { token: 'twl_x', current_password: password },
  undoEmailChange: { token: 'twl_x' },
  requestVerification: { email: 'good@example.org' },
  changePassword: { current_password: password, new_password: password },
  createUser: { email: 'good@example.org', password, name: 'Good', role: 'member' },
  createInvitation: { email: 'good@example.org', name: 'Good' },
  changeUser: { name: 'Good', email: 'good@example.org', role: 'member', current_password: password },
  reauthenticate: { current_password: password },
  deleteUser: { current_password: password },
  restoreUser: { current_password: password },
};

/** Every row that a request could have changed, as text. */
export async function everyRow(harness: AuthHarness): Promise<string> {
  const { rows } = await harness.database.db.pool.query<{ text: string }>(
    `SELECT t::text AS text FROM (SELECT * FROM users ORDER BY id) t
     UNION ALL SELECT s::text FROM (SELECT * FROM sessions ORDER BY id) s
     UNION ALL SELECT r::text FROM (SELECT * FROM refresh_tokens ORDER BY hash) r
     UNION ALL SELECT l::text FROM (SELECT * FROM account_links ORDER BY id) l
     UNION ALL SELECT m::text FROM (SELECT * FROM mail_requests ORDER BY id) m
     UNION ALL SELECT i::text FROM (SELECT * FROM invitations ORDER BY id) i`,
  );
  return rows.map(({ text }) => text).join('\n');
}
