import { authRoutes } from '@taskwire/contracts';
import { response, bind, type BoundRoute } from '@taskwire/http-server';
import { originOf } from '../app/origin.ts';
import type { requestMail } from '../app/request-mail.ts';
import type { changePassword } from '../app/change-password.ts';
import type { confirmEmail } from '../app/confirm-email.ts';
import type { logOutEverywhere } from '../app/log-out-everywhere.ts';
import type { readAccountLink } from '../app/read-account-link.ts';
import type { resetPassword } from '../app/reset-password.ts';
import type { undoEmailChange } from '../app/undo-email-change.ts';
import type { verifyEmail } from '../app/verify-email.ts';
import { callerOf, visitorOf } from './caller.ts';
import { loggedIn } from './logged-in.ts';

/** The use cases behind the account routes and pages. */
export type AccountUseCases = {
  requestMail: ReturnType<typeof requestMail>;
  verifyEmail: ReturnType<typeof verifyEmail>;
  confirmEmail: ReturnType<typeof confirmEmail>;
  undoEmailChange: ReturnType<typeof undoEmailChange>;
  resetPassword: ReturnType<typeof resetPassword>;
  changePassword: ReturnType<typeof changePassword>;
  logOutEverywhere: ReturnType<typeof logOutEverywhere>;
  readAccountLink: ReturnType<typeof readAccountLink>;
};

export function accountRoutes(app: AccountUseCases): BoundRoute[] {
  return [
    bind(authRoutes.forgotPassword, async ({ body, ...request }) => {
      await app.requestMail('reset_password', body.email, originOf(request));
      return response(202);
    }),
    bind(authRoutes.resetPassword, async ({ body, ...request }) => {
      await app.resetPassword(body, originOf(request));
      return response(204);
    }),
    bind(authRoutes.requestVerification, async ({ body, ...request }) => {
      await app.requestMail('verify_email', body.email, originOf(request));
      return response(202);
    }),
    bind(authRoutes.verifyEmail, async ({ body, ...request }) => {
      await app.verifyEmail(body, visitorOf(request));
      return response(204);
    }),
    bind(authRoutes.confirmEmail, async ({ body, ...request }) => {
      await app.confirmEmail(body, visitorOf(request));
      return response(204);
    }),
    bind(authRoutes.undoEmailChange, async ({ body, ...request }) => {
      await app.undoEmailChange(body, originOf(request));
      return response(204);
    }),
    bind(authRoutes.changePassword, async ({ body, ...request }) =>
      loggedIn(await app.changePassword(callerOf(request), body)),
    ),
    bind(authRoutes.logoutEverywhere, async (request) => {
      await app.logOutEverywhere(callerOf(request));
      return response(204);
    }),
    bind(authRoutes.getAccountLink, async ({ params, idempotent, ...request }) => {
      const reader = { client: request.actor.clientId, delivery: idempotent?.key };
      const { body, isRepeated } = await app.readAccountLink({ id: params.id, ...reader, origin: originOf(request) });
      return response(200, body, { replayed: isRepeated });
    }),
  ];
}
