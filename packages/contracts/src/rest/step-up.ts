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
    .describe("the caller's own password, instead of a log-in of the last five minutes; only with a token of the JSON API"),
};

/** The problems that step-up adds to a route. */
export const stepUpProblems = ['reauthentication_required', 'wrong_password', 'rate_limited'] as const;

/** Auth's operations for step-up: reauthentication, and the recovery from a deletion. */
export const stepUpRoutes = {
  reauthenticate: defineRoute({
    method: 'post',
    path: '/api/v1/auth/reauthenticate',
    operationId: 'reauthenticate',
    summary: 'Prove who you are again, within the session',
    description:
      'The session goes on with new tokens that count as a log-in for the next five minutes, which sensitive operations ask for. Refresh tokens that the session had before stop working. A wrong password counts as a failed log-in does.',
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
      'Admins; only within five minutes of a log-in, or with `current_password`, and only for seven days after the deletion (410 later). The user has the same id, name, address and role as before. The old password is gone: a link that sets a new one is mailed to the address. A user who is not deleted is answered unchanged.',
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
