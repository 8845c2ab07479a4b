import { schemas } from '@taskwire/contracts';
import { linkNotValid, type AccountLink, type LinkPurpose } from '../domain/account-link.ts';
import type { LinkVisitor } from '../app/link-visitor.ts';
import type { AccountActions } from './account-actions.ts';
import { requestOrigin } from './origin.ts';
import {
  ended,
  ok,
  refusal,
  tokenIn,
  type Answer,
  type Page,
  type Visit,
  type Request,
  type Response,
} from './own-page.ts';
import { donePage } from './pages/account-pages.ts';
import { claimPage, confirmEmailPage, undoEmailPage, verifyPage, type LinkForm } from './pages/address-pages.ts';
import type { NextStep } from './pages/html.ts';
import { refusalText } from './refusal.ts';

type Options = {
  actions: AccountActions;
  /** Returns the user logged in to the provider in this browser. */
  browserUser(request: Request, response: Response): Promise<string | undefined>;
  /** The base path of all account pages. */
  base: string;
};

/** The pages opened by links about an account's address: to verify the address, to replace it, or to restore the old one. */
export function addressPages(options: Options): Page[] {
  return [verificationPage(options), confirmationPage(options), undoPage(options)];
}

/** A link that a visitor is about to use or has already used. */
type Step = { link: AccountLink; form: LinkForm; visit: Visit };

type LinkPage = {
  name: string;
  purpose: LinkPurpose;
  /** How the visitor can get a new link if this one can't be used. */
  nextStep: NextStep;
  /** Confirms that the link has been used. */
  done: Answer;
  show(step: Step): Promise<Answer>;
  use(sent: URLSearchParams, step: Step): Promise<Answer>;
};

/** The page of one kind of link. It shows nothing and does nothing until the link is known to be genuine. */
function linkPage({ actions, base }: Options, { name, purpose, nextStep, done, show, use }: LinkPage): Page {
  async function check(token: string, visit: Visit, next: (step: Step) => Promise<Answer>): Promise<Answer> {
    let link: AccountLink | undefined;
    const find = async () => (link = await actions.checkLink(token, purpose));
    const refused = await refusal(find, visit.request);
    if (refused !== undefined || link === undefined) return ended(refused ?? linkNotValid('unknown'), nextStep);
    return await next({ link, form: { action: `${base}/${name}`, formToken: visit.formToken, token }, visit });
  }

  return {
    name,
    get: async (visit) =>
      await check(tokenIn(visit.request), visit, async (step) => (step.link.end === null ? await show(step) : done)),
    post: async (sent, visit) => await check(sent.get('token') ?? '', visit, async (step) => await use(sent, step)),
  };
}

function verificationPage(options: Options): Page {
  const { actions, base } = options;
  const nextStep = { href: `${base}/resend`, text: 'Ask for a new link' };
  const title = 'The address is verified';
  const done = ok(donePage({ title, text: 'Thank you. You can close this page.' }));
  const text = 'The password is set. Go back to the application, and log in with it.';
  const passwordSet = ok(donePage({ title, text }));

  return linkPage(options, {
    ...{ name: 'verify', purpose: 'verify_email', nextStep, done },
    async show({ form, link, visit }) {
      const isHolder = await actions.isHolder(await visitorOf(visit, options), link);
      return ok(isHolder ? verifyPage(form) : claimPage({ ...form, link }));
    },
    async use(sent, { form, link, visit }) {
      const again = (status: number, error: string) => ({ status, body: claimPage({ ...form, link, error }) });
      const password = filledIn(sent, 'new_password');
      if (password !== undefined && !schemas.newPassword.safeParse(password).success) {
        return again(422, 'The password needs 8 to 256 characters.');
      }
      const visitor = await visitorOf(visit, options);
      const given = { token: form.token, new_password: password };
      const refused = await refusal(async () => await actions.verifyEmail(given, visitor), visit.request);
      if (refused === undefined) return password === undefined ? done : passwordSet;
      if (refused.code === 'link_not_valid') return ended(refused, nextStep);
      const isStranger = refused.code === 'new_password_required';
      const explanation = 'This browser is not logged in to the account. Choose a new password.';
      return again(refused.status, isStranger ? explanation : refusalText(refused));
    },
  });
}

function confirmationPage(options: Options): Page {
  const { actions } = options;
  const nextStep = { href: '/', text: 'Log in, and change the address again' };
  const done = ok(donePage({ title: 'The address has changed', text: 'Log in with the new address from now on.' }));

  return linkPage(options, {
    ...{ name: 'confirm_email', purpose: 'confirm_email', nextStep, done },
    async show({ form, link, visit }) {
      // otherwise the visitor must prove with the password that the account is theirs
      const isProven =
        link.requested?.by === 'admin' || (await actions.isHolder(await visitorOf(visit, options), link));
      return ok(confirmEmailPage({ ...form, link, needsPassword: !isProven }));
    },
    async use(sent, { form, link, visit }) {
      const visitor = await visitorOf(visit, options);
      const given = { token: form.token, current_password: filledIn(sent, 'current_password') };
      const refused = await refusal(async () => await actions.confirmEmail(given, visitor), visit.request);
      if (refused === undefined) return done;
      if (refused.code === 'link_not_valid') return ended(refused, nextStep);
      const isStranger = refused.code === 'current_password_required';
      const explanation = 'This browser is not logged in to the account. Enter its password.';
      const error = isStranger ? explanation : refusalText(refused);
      return { status: refused.status, body: confirmEmailPage({ ...form, link, needsPassword: true, error }) };
    },
  });
}

function undoPage(options: Options): Page {
  const { actions, base } = options;
  const nextStep = { href: `${base}/forgot`, text: 'Request a link to set a new password' };
  const title = 'The change is undone';
  const done = ok(donePage({ title, text: 'The account has this address again.', nextStep }));

  return linkPage(options, {
    ...{ name: 'undo_email', purpose: 'undo_email', nextStep, done },
    show: async ({ form, link }) => ok(undoEmailPage({ ...form, email: link.email })),
    async use(_sent, { form, visit: { request } }) {
      let undone: { resetToken: string } | undefined;
      const work = async () => (undone = await actions.undoEmailChange(form, requestOrigin(request)));
      const refused = await refusal(work, request);
      if (refused !== undefined) return ended(refused, nextStep);
      if (undone === undefined) return done;
      const text =
        'The account has its old address again, all sessions were ended, and its password no longer works. ' +
        'Set a new one now, or with the link that we have mailed to the address.';
      const next = { href: `${base}/reset?token=${undone.resetToken}`, text: 'Set a new password now' };
      return ok(donePage({ title, text, nextStep: next }));
    },
  });
}

/** Returns a field's value; an empty field counts as not filled in. */
function filledIn(sent: URLSearchParams, field: string): string | undefined {
  const value = sent.get(field) ?? '';
  return value === '' ? undefined : value;
}

async function visitorOf({ request, response }: Visit, { browserUser }: Options): Promise<LinkVisitor> {
  return { userId: await browserUser(request, response), origin: requestOrigin(request) };
}
