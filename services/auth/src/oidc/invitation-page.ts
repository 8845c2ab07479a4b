import { schemas } from '@taskwire/contracts';
import { Problem } from '@taskwire/errors';
import type { RequestOrigin } from '../domain/audit-context.ts';
import { requestOrigin } from './origin.ts';
import { ended, ok, refusal, tokenIn, type Page, type Request } from './own-page.ts';
import { donePage, failedPage } from './pages/account-pages.ts';
import { invitationPage as render } from './pages/invitation-page.ts';
import { refusalText } from './refusal.ts';

/** The actions behind the page; the JSON API uses the same ones. */
export type InvitationActions = {
  /** @throws Problem `registration_closed`, `link_not_valid`. */
  openInvitation(token: string): Promise<{ email: string; name: string | null }>;
  register(
    account: { email: string; password: string; name: string; invitation_token: string },
    origin: RequestOrigin,
  ): Promise<unknown>;
};

/** The page that an invitation's link opens. It asks for a name and a password, and creates the account. */
export function invitationPage(actions: InvitationActions) {
  return (base: string): Page => {
    const action = `${base}/invitation`;

    async function checked(token: string, request: Request) {
      let invitation: { email: string; name: string | null } = { email: '', name: null };
      const refused = await refusal(async () => (invitation = await actions.openInvitation(token)), request);
      return refused ?? invitation;
    }

    return {
      name: 'invitation',
      async get({ request, formToken }) {
        const token = tokenIn(request);
        const invitation = await checked(token, request);
        if (invitation instanceof Problem) return refusedPage(invitation);
        const { email, name } = invitation;
        return ok(render({ action, formToken, token, email, name: name ?? '' }));
      },
      async post(form, { request, formToken }) {
        const token = form.get('token') ?? '';
        const invitation = await checked(token, request);
        if (invitation instanceof Problem) return refusedPage(invitation);
        const { email } = invitation;
        const given = form.get('name') ?? '';
        const again = (error: string) => render({ action, formToken, token, email, name: given, error });
        const name = schemas.personName.safeParse(given);
        if (!name.success) return { status: 422, body: again(`The name ${name.error.issues[0]?.message}.`) };
        const password = schemas.newPassword.safeParse(form.get('password'));
        if (!password.success) return { status: 422, body: again('The password needs 8 to 256 characters.') };
        const account = { email, password: password.data, name: name.data, invitation_token: token };
        const refused = await refusal(() => actions.register(account, requestOrigin(request)), request);
        if (refused?.code === 'link_not_valid' || refused?.code === 'email_taken') return refusedPage(refused);
        if (refused !== undefined) return { status: refused.status, body: again(refusalText(refused)) };
        return ok(
          donePage({
            title: 'Your account is ready',
            text: 'Your address is verified. Go to the application, and log in with your password.',
          }),
        );
      },
    };

    function refusedPage(refused: Problem) {
      if (refused.code === 'link_not_valid') return ended(refused, undefined);
      const forgot = { href: `${base}/forgot`, text: 'Forgot your password?' };
      const nextStep = refused.code === 'email_taken' ? forgot : undefined;
      return { status: refused.status, body: failedPage({ title: refused.title, text: refused.detail, nextStep }) };
    }
  };
}
