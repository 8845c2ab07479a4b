import { schemas } from '@taskwire/contracts';
import { Problem } from '@taskwire/errors';
import type { OwnPath } from '@taskwire/http-server';
import type { LinkPurpose } from '../app/account-links.ts';
import type { Origin } from '../app/audit.ts';
import { readPostedForm } from './form.ts';
import { requestOrigin } from './origin.ts';
import { ownForms } from './own-form.ts';
import { askForMailPage, donePage, failedPage, newPasswordPage, verifyPage } from './pages/account-pages.ts';
import { pageHeaders } from './pages/html.ts';
import { refusalOf, refusalText } from './refusal.ts';

/** What the pages do; the same as the JSON API does. */
export type AccountActions = {
  askForMail(purpose: LinkPurpose, email: string, origin: Origin): Promise<void>;
  /** @throws Problem `link_not_valid`. */
  checkLink(token: string, purpose: LinkPurpose): Promise<{ email: string }>;
  verifyEmail(given: { token: string }, origin: Origin): Promise<void>;
  resetPassword(given: { token: string; new_password: string }, origin: Origin): Promise<void>;
};

type Request = Parameters<OwnPath['handle']>[0];
type Response = Parameters<OwnPath['handle']>[1];
type Answer = { status: number; body: string };
type Page = {
  name: string;
  /** Shows it; changes nothing, whoever opens it. */
  get(request: Request, formToken: string): Promise<Answer>;
  post(form: URLSearchParams, request: Request, formToken: string): Promise<Answer>;
};

/** The pages that links in mails open, and those that ask for such mails. They belong to no log-in of a client, and need none. */
export function accountPages(options: { issuer: string; formKey: Buffer; actions: AccountActions }): OwnPath[] {
  const base = `${new URL(options.issuer).pathname}/account`;
  const forms = ownForms(options);
  const pages = [
    askPage({ ...options, base, name: 'forgot', purpose: 'reset_password' }),
    askPage({ ...options, base, name: 'resend', purpose: 'verify_email' }),
    resetPage(options.actions, base),
    verificationPage(options.actions, base),
  ];
  return pages.map((page) => ({
    path: `${base}/${page.name}`,
    async handle(request, response) {
      const { status, body } = await answer(page, request, response);
      // the address of the page has the token of a link
      response.writeHead(status, { ...pageHeaders(), 'Referrer-Policy': 'no-referrer' }).end(body);
    },
  }));

  async function answer(page: Page, request: Request, response: Response): Promise<Answer> {
    const formToken = forms.tokenFor(request, response);
    if (request.method === 'GET' || request.method === 'HEAD') return await page.get(request, formToken);
    const form = await readPostedForm(request);
    forms.requireOwn(request, form);
    return await page.post(form, request, formToken);
  }
}

const asking = {
  reset_password: {
    title: 'Forgot your password?',
    text: 'We send a link with which you can set a new one.',
    done: 'If there is an account with this address, a mail with a link is on its way to it. The link works for a short time.',
  },
  verify_email: {
    title: 'Verify your e-mail address',
    text: 'We send a link with which you can confirm the address of your account.',
    done: 'If there is an account with this address that is not verified yet, a mail with a link is on its way to it.',
  },
};

function askPage(o: { actions: AccountActions; base: string; name: string; purpose: LinkPurpose }): Page {
  const { title, text, done } = asking[o.purpose];
  const action = `${o.base}/${o.name}`;
  return {
    name: o.name,
    get: async (_request, formToken) => ok(askForMailPage({ action, formToken, title, text, email: '' })),
    async post(form, request, formToken) {
      const email = form.get('email') ?? '';
      const again = (error: string) => askForMailPage({ action, formToken, title, text, email, error });
      const parsed = schemas.email.safeParse(email);
      if (!parsed.success) return { status: 422, body: again('This is not an e-mail address.') };
      const refused = await refusal(
        () => o.actions.askForMail(o.purpose, parsed.data, requestOrigin(request)),
        request,
      );
      if (refused !== undefined) return { status: refused.status, body: again(refusalText(refused)) };
      return ok(donePage({ title: 'Look into your mailbox', text: done }));
    },
  };
}

function resetPage(actions: AccountActions, base: string): Page {
  const action = `${base}/reset`;
  const way = { href: `${base}/forgot`, text: 'Ask for a new link' };

  async function checked(token: string, request: Request): Promise<{ email: string } | Problem> {
    let link = { email: '' };
    const refused = await refusal(async () => (link = await actions.checkLink(token, 'reset_password')), request);
    return refused ?? link;
  }

  return {
    name: 'reset',
    async get(request, formToken) {
      const token = tokenIn(request);
      const link = await checked(token, request);
      if (link instanceof Problem) return ended(link, way);
      return ok(newPasswordPage({ action, formToken, token, email: link.email }));
    },
    async post(form, request, formToken) {
      const token = form.get('token') ?? '';
      const link = await checked(token, request);
      if (link instanceof Problem) return ended(link, way);
      const again = (error: string) => newPasswordPage({ action, formToken, token, email: link.email, error });
      const password = schemas.newPassword.safeParse(form.get('new_password'));
      if (!password.success) return { status: 422, body: again('The password needs 8 to 256 characters.') };
      const given = { token, new_password: password.data };
      const refused = await refusal(() => actions.resetPassword(given, requestOrigin(request)), request);
      if (refused?.code === 'link_not_valid') return ended(refused, way);
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

function verificationPage(actions: AccountActions, base: string): Page {
  const action = `${base}/verify`;
  const way = { href: `${base}/resend`, text: 'Ask for a new link' };
  return {
    name: 'verify',
    async get(request, formToken) {
      const token = tokenIn(request);
      const refused = await refusal(() => actions.checkLink(token, 'verify_email'), request);
      if (refused !== undefined) return ended(refused, way);
      return ok(verifyPage({ action, formToken, token }));
    },
    async post(form, request) {
      const token = form.get('token') ?? '';
      const refused = await refusal(() => actions.verifyEmail({ token }, requestOrigin(request)), request);
      if (refused !== undefined) return ended(refused, way);
      return ok(donePage({ title: 'The address is verified', text: 'Thank you. You can close this page.' }));
    },
  };
}

function ok(body: string): Answer {
  return { status: 200, body };
}

function ended(refused: Problem, way: { href: string; text: string }): Answer {
  return { status: refused.status, body: failedPage({ title: 'This link does not work', text: refused.detail, way }) };
}

/** What can be told the person on a page; the rest is thrown. */
async function refusal(work: () => Promise<unknown>, request: Request): Promise<Problem | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return refusalOf(error, request);
  }
}

function tokenIn(request: Request): string {
  const { token } = request.query;
  return typeof token === 'string' ? token : '';
}
