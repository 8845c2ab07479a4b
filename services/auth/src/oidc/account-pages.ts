import { schemas } from '@taskwire/contracts';
import { Problem } from '@taskwire/errors';
import type { RawRoute } from '@taskwire/http-server';
import { linkNotValid, type AccountLink, type RequestablePurpose } from '../domain/account-link.ts';
import type { AccountActions } from './account-actions.ts';
import { addressPages } from './address-pages.ts';
import { readPostedForm } from './form.ts';
import { requestOrigin } from './origin.ts';
import { ownForms } from './own-form.ts';
import { ended, ok, refusal, tokenIn, type Answer, type Page, type Request, type Response } from './own-page.ts';
import { requestMailPage, donePage, newPasswordPage } from './pages/account-pages.ts';
import { pageHeaders } from './pages/html.ts';
import { refusalText } from './refusal.ts';

export type AccountPagesOptions = {
  issuer: string;
  formKey: Buffer;
  actions: AccountActions;
  /** Returns the user logged in to the provider in this browser. */
  browserUser(request: Request, response: Response): Promise<string | undefined>;
  /** Further pages, created with the base path of all account pages. */
  others: readonly ((base: string) => Page)[];
};

/** The pages that mailed links open, and those that request such mails. They belong to no client's log-in and don't require one. */
export function accountPages(options: AccountPagesOptions): RawRoute[] {
  const base = `${new URL(options.issuer).pathname}/account`;
  const forms = ownForms(options);
  const pages = [
    askPage({ ...options, base, name: 'forgot', purpose: 'reset_password' }),
    askPage({ ...options, base, name: 'resend', purpose: 'verify_email' }),
    resetPage(options.actions, base),
    ...addressPages({ ...options, base }),
    ...options.others.map((other) => other(base)),
  ];
  return pages.map((page) => ({
    path: `${base}/${page.name}`,
    async handle(request, response) {
      const { status, body } = await answer(page, request, response);
      // the URL of the page contains the token of a link
      response.writeHead(status, { ...pageHeaders(), 'Referrer-Policy': 'no-referrer' }).end(body);
    },
  }));

  async function answer(page: Page, request: Request, response: Response): Promise<Answer> {
    const formToken = forms.tokenFor(request, response);
    if (request.method === 'GET' || request.method === 'HEAD') return await page.get({ request, response, formToken });
    const form = await readPostedForm(request);
    forms.requireOwn(request, form);
    return await page.post(form, { request, response, formToken });
  }
}

const asking = {
  reset_password: {
    title: 'Forgot your password?',
    text: 'We send a link with which you can set a new one.',
    done: 'If there is an account with this address, we have sent a link to it. The link works for a short time.',
  },
  verify_email: {
    title: 'Verify your e-mail address',
    text: 'We send a link with which you can confirm the address of your account.',
    done: 'If there is an account with this address that is not verified yet, we have sent a link to it.',
  },
};

function askPage(o: { actions: AccountActions; base: string; name: string; purpose: RequestablePurpose }): Page {
  const { title, text, done } = asking[o.purpose];
  const action = `${o.base}/${o.name}`;
  return {
    name: o.name,
    get: async ({ formToken }) => ok(requestMailPage({ action, formToken, title, text, email: '' })),
    async post(form, { request, formToken }) {
      const email = form.get('email') ?? '';
      const again = (error: string) => requestMailPage({ action, formToken, title, text, email, error });
      const parsed = schemas.email.safeParse(email);
      if (!parsed.success) return { status: 422, body: again('This is not an e-mail address.') };
      const refused = await refusal(
        () => o.actions.requestMail(o.purpose, parsed.data, requestOrigin(request)),
        request,
      );
      if (refused !== undefined) return { status: refused.status, body: again(refusalText(refused)) };
      return ok(donePage({ title: 'Check your mailbox', text: done }));
    },
  };
}

function resetPage(actions: AccountActions, base: string): Page {
  const action = `${base}/reset`;
  const nextStep = { href: `${base}/forgot`, text: 'Ask for a new link' };

  async function checked(token: string, request: Request): Promise<AccountLink | Problem> {
    let link: AccountLink | undefined;
    const refused = await refusal(async () => (link = await actions.checkLink(token, 'reset_password')), request);
    return refused ?? link ?? linkNotValid('unknown');
  }

  return {
    name: 'reset',
    async get({ request, formToken }) {
      const token = tokenIn(request);
      const link = await checked(token, request);
      if (link instanceof Problem) return ended(link, nextStep);
      if (link.end !== null) return ended(linkNotValid(link.end), nextStep);
      return ok(newPasswordPage({ action, formToken, token, email: link.email }));
    },
    async post(form, { request, formToken }) {
      const token = form.get('token') ?? '';
      const link = await checked(token, request);
      if (link instanceof Problem) return ended(link, nextStep);
      const again = (error: string) => newPasswordPage({ action, formToken, token, email: link.email, error });
      const password = schemas.newPassword.safeParse(form.get('new_password'));
      if (!password.success) return { status: 422, body: again('The password needs 8 to 256 characters.') };
      const given = { token, new_password: password.data };
      const refused = await refusal(() => actions.resetPassword(given, requestOrigin(request)), request);
      if (refused?.code === 'link_not_valid') return ended(refused, nextStep);
      if (refused !== undefined) return { status: refused.status, body: again(refusalText(refused)) };
      return ok(
        donePage({
          title: 'The password is set',
          text: 'Go back to the application, and log in with the new password.',
        }),
      );
    },
  };
}
