import { schemas } from '@taskwire/contracts';
import type { Problem } from '@taskwire/errors';
import type { AccountLink, LinkPurpose } from '../app/account-links.ts';
import type { LinkVisitor } from '../app/link-visitor.ts';
import type { AccountPagesOptions } from './account-pages.ts';
import { requestOrigin } from './origin.ts';
import { ended, ok, refusal, tokenIn, type Answer, type Page, type Visit } from './own-page.ts';
import { donePage } from './pages/account-pages.ts';
import { claimPage, confirmEmailPage, undoEmailPage, verifyPage } from './pages/address-pages.ts';
import type { Way } from './pages/html.ts';
import { refusalText } from './refusal.ts';

type Options = AccountPagesOptions & {
  /** The path that all pages of accounts are below. */
  base: string;
};

/** The pages of links about the address of an account: it is verified, replaced, or given back. */
export function addressPages(options: Options): Page[] {
  return [verificationPage(options), confirmationPage(options), undoPage(options)];
}

const verified = { title: 'The address is verified', text: 'Thank you. You can close this page.' };

function verificationPage({ actions, base, browserUser }: Options): Page {
  const action = `${base}/verify`;
  const way = { href: `${base}/resend`, text: 'Ask for a new link' };
  const check = linkChecker(actions, 'verify_email', way);

  return {
    name: 'verify',
    async get(visit) {
      const token = tokenIn(visit.request);
      const link = await check(token, visit);
      if ('status' in link) return link;
      if (link.end === 'used') return ok(donePage(verified));
      const form = { action, formToken: visit.formToken, token };
      const isHolder = await actions.isHolder(await visitorOf(visit, browserUser), link);
      return ok(isHolder ? verifyPage(form) : claimPage({ ...form, link }));
    },
    async post(form, visit) {
      const token = form.get('token') ?? '';
      const link = await check(token, visit);
      if ('status' in link) return link;
      const visitor = await visitorOf(visit, browserUser);
      const again = (status: number, error: string): Answer => ({
        status,
        body: claimPage({ action, formToken: visit.formToken, token, link, error }),
      });
      const given = form.get('new_password') ?? '';
      const password = given === '' ? undefined : given;
      if (password !== undefined && !schemas.newPassword.safeParse(password).success) {
        return again(422, 'The password needs 8 to 256 characters.');
      }
      const refused = await refusal(
        () => actions.verifyEmail({ token, new_password: password }, visitor),
        visit.request,
      );
      if (refused?.code === 'link_not_valid') return ended(refused, way);
      if (refused?.code === 'new_password_required') {
        return again(refused.status, 'This browser is not logged in to the account. Choose a new password.');
      }
      if (refused !== undefined) return again(refused.status, refusalText(refused));
      if (password === undefined) return ok(donePage(verified));
      const text = 'The password is set. Go back to the application, and log in with it.';
      return ok(donePage({ ...verified, text }));
    },
  };
}

function confirmationPage({ actions, base, browserUser }: Options): Page {
  const action = `${base}/confirm_email`;
  const way = { href: '/', text: 'Log in, and change the address again' };
  const done = { title: 'The address has changed', text: 'Log in with the new address from now on.' };
  const check = linkChecker(actions, 'confirm_email', way);

  /** Who has to show that the account is theirs does so with its password. */
  async function asksForPassword(link: AccountLink, visitor: LinkVisitor): Promise<boolean> {
    return link.requested?.by !== 'admin' && !(await actions.isHolder(visitor, link));
  }

  return {
    name: 'confirm_email',
    async get(visit) {
      const token = tokenIn(visit.request);
      const link = await check(token, visit);
      if ('status' in link) return link;
      if (link.end === 'used') return ok(donePage(done));
      const needsPassword = await asksForPassword(link, await visitorOf(visit, browserUser));
      return ok(confirmEmailPage({ action, formToken: visit.formToken, token, link, needsPassword }));
    },
    async post(form, visit) {
      const token = form.get('token') ?? '';
      const link = await check(token, visit);
      if ('status' in link) return link;
      const visitor = await visitorOf(visit, browserUser);
      const given = form.get('current_password') ?? '';
      const refused = await refusal(
        () => actions.confirmEmail({ token, current_password: given === '' ? undefined : given }, visitor),
        visit.request,
      );
      if (refused === undefined) return ok(donePage(done));
      if (refused.code === 'link_not_valid') return ended(refused, way);
      const error =
        refused.code === 'current_password_required'
          ? 'This browser is not logged in to the account. Enter its password.'
          : refusalText(refused);
      const page = { action, formToken: visit.formToken, token, link, needsPassword: true, error };
      return { status: refused.status, body: confirmEmailPage(page) };
    },
  };
}

function undoPage({ actions, base }: Options): Page {
  const action = `${base}/undo_email`;
  const forgot = { href: `${base}/forgot`, text: 'Ask for a link that sets a new password' };
  const title = 'The change is undone';
  const check = linkChecker(actions, 'undo_email', forgot);
  const doneBefore = ok(donePage({ title, text: 'The account has this address again.', way: forgot }));

  return {
    name: 'undo_email',
    async get(visit) {
      const token = tokenIn(visit.request);
      const link = await check(token, visit);
      if ('status' in link) return link;
      if (link.end === 'used') return doneBefore;
      return ok(undoEmailPage({ action, formToken: visit.formToken, token, email: link.email }));
    },
    async post(form, { request }) {
      let undone: { resetToken: string } | undefined;
      const given = { token: form.get('token') ?? '' };
      const work = async () => (undone = await actions.undoEmailChange(given, requestOrigin(request)));
      const refused = await refusal(work, request);
      if (refused !== undefined) return ended(refused, forgot);
      if (undone === undefined) return doneBefore;
      const way = { href: `${base}/reset?token=${undone.resetToken}`, text: 'Set a new password now' };
      const text =
        'The account has its old address again, everybody was logged out, and its password no longer works. ' +
        'Set a new one now, or with the link that we have mailed to the address.';
      return ok(donePage({ title, text, way }));
    },
  };
}

/** The link of a token, or the page that says why it cannot be used. */
function linkChecker(actions: Options['actions'], purpose: LinkPurpose, way: Way) {
  return async (token: string, { request }: Visit): Promise<AccountLink | Answer> => {
    let link: AccountLink | undefined;
    const refused: Problem | undefined = await refusal(
      async () => (link = await actions.checkLink(token, purpose)),
      request,
    );
    if (refused !== undefined) return ended(refused, way);
    if (link === undefined) throw new Error('a link was neither found nor refused');
    return link;
  };
}

async function visitorOf({ request, response }: Visit, browserUser: Options['browserUser']): Promise<LinkVisitor> {
  return { userId: await browserUser(request, response), origin: requestOrigin(request) };
}
