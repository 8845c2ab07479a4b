import { z } from 'zod';
import { defineRoute } from './route.ts';
import { givenPassword, idParams, session, user } from './schemas.ts';

/**
 * The caller's own password, as an alternative to a log-in within the last five minutes (step-up). First-party tokens only: no application may handle
 * a person's password.
 */
export const stepUp = {
  current_password: givenPassword
    .optional()
    .describe("the caller's own password, as an alternative to a log-in within the last five minutes; only with a token of the JSON API"),
};

/** The problems that step-up adds to a route. */
export const stepUpProblems = ['reauthentication_required', 'wrong_password', 'rate_limited'] as const;

/** Auth's operations for step-up: reauthentication, and the restoration of a deleted user. */
export const stepUpRoutes = {
  reauthenticate: defineRoute({
    method: 'post',
    path: '/api/v1/auth/reauthenticate',
    operationId: 'reauthenticate',
    summary: 'Reauthenticate within the session',
    description:
      'Returns new tokens of the same session, which count as a log-in for the next five minutes; sensitive operations require one. Earlier refresh tokens of the session stop working. A wrong password counts as a failed log-in.',
    tag: 'Sessions',
    access: { kind: 'user', scopes: ['account:write'], firstParty: true, unverified: true },
    body: z.strictObject({ current_password: givenPassword }),
    responses: { 200: session },
    problems: ['wrong_password', 'rate_limited'],
  }),
  restoreUser: defineRoute({
    method: 'post',
    path: '/api/v1/users/{id}/restore',
    operationId: 'restoreUser',
    summary: 'Restore a deleted user',
    description:
      'For admins. Requires a log-in within the last five minutes, or `current_password`. Possible within seven days of the deletion; later requests get 410. The user keeps their id, name, address and role. The old password is erased, and a link that sets a new one is sent to the address. A user who is not deleted is returned unchanged.',
    tag: 'Users',
    access: { kind: 'user', scopes: ['admin'], roles: ['admin'] },
    params: idParams,
    body: z.strictObject(stepUp),
    optionalBody: true,
    responses: { 200: user },
    etag: true,
    problems: ['not_found', 'gone', 'email_taken', ...stepUpProblems],
  }),
};
