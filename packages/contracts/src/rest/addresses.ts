import { z } from 'zod';
import { defineRoute } from './route.ts';
import { givenPassword } from './schemas.ts';

/** The value of `token=` in a link of a mail. */
export const linkToken = z.string().min(1).max(200);

/** Operations on a change of e-mail address, which begins with `changeUser`. */
export const addressRoutes = {
  confirmEmail: defineRoute({
    method: 'post',
    path: '/api/v1/auth/confirm_email',
    operationId: 'confirmEmail',
    summary: 'Replace the e-mail address of an account, with the token of the link mailed to the new address',
    description:
      'Send the access token of the account as well, or its `current_password`, unless an admin asked for the change. The old address gets a link that undoes the change for a week. The token works once, for a day; using it again changes nothing and is answered in the same way.',
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
    summary: 'Give an account its old e-mail address back, with the token of the link mailed to that address',
    description:
      'All sessions end, the password and every pending change too, and a link that sets a new password is mailed to the address. The token works once, for a week, regardless of later changes of the account; using it again changes nothing and is answered in the same way.',
    tag: 'Account',
    access: { kind: 'anyone' },
    body: z.strictObject({ token: linkToken }),
    responses: { 204: null },
    problems: ['link_not_valid', 'rate_limited'],
  }),
};
