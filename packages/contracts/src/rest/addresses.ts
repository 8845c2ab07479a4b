import { z } from 'zod';
import { defineRoute } from './route.ts';
import { givenPassword } from './schemas.ts';

/** The value of `token=` in a link in an e-mail. */
export const linkToken = z.string().min(1).max(200);

/** Operations on a pending change of e-mail address, which `changeUser` starts. */
export const addressRoutes = {
  confirmEmail: defineRoute({
    method: 'post',
    path: '/api/v1/auth/confirm_email',
    operationId: 'confirmEmail',
    summary: 'Confirm the new e-mail address of an account with the token of the link sent to it',
    description:
      'Also requires the access token or the `current_password` of the account, unless an admin requested the change. The old address receives a link that undoes the change, valid for a week. The token is valid for a day and takes effect once; using it again changes nothing and returns the same response.',
    tag: 'Account',
    access: { kind: 'anyone', user: 'optional' },
    body: z.strictObject({ token: linkToken, current_password: givenPassword.optional() }),
    responses: { 204: null },
    problems: ['link_not_valid', 'current_password_required', 'wrong_password', 'rate_limited'],
  }),
  undoEmailChange: defineRoute({
    method: 'post',
    path: '/api/v1/auth/undo_email',
    operationId: 'undoEmailChange',
    summary: 'Restore the old e-mail address of an account with the token of the link sent to that address',
    description:
      'Ends all sessions, invalidates the password, cancels every pending change, and sends a link that sets a new password to the address. The token is valid for a week, regardless of later changes of the account, and takes effect once; using it again changes nothing and returns the same response.',
    tag: 'Account',
    access: { kind: 'anyone' },
    body: z.strictObject({ token: linkToken }),
    responses: { 204: null },
    problems: ['link_not_valid', 'rate_limited'],
  }),
};
