import type { AccountLink, LinkRequest, RequestedBy } from '../../domain/account-link.ts';
import type { AccountForm } from './account-pages.ts';
import { describedBy, errorText, linkFields, newPasswordField, usernameField } from './fields.ts';
import { html, page, type Html } from './html.ts';

/** A form opened by a link also contains the link's token. */
export type LinkForm = AccountForm & { token: string };

/** Opening the page does nothing, since mail scanners open links too; only the button acts. */
export function verifyPage(form: LinkForm): string {
  return page(
    'Verify your e-mail address',
    html`<h1>Verify your e-mail address</h1>
      <p>Press the button to confirm that the address is yours.</p>
      ${buttonForm(form, 'Verify the address')}`,
  );
}

/**
 * The page for a visitor who is not logged in to the account, and may therefore not be the person who registered it: the visitor sets a new password.
 * The second form is for visitors who are logged in: their cookie is not sent when they follow a link from webmail (SameSite), but it is sent with
 * our own form.
 */
export function claimPage(form: LinkForm & { link: AccountLink; error?: string | undefined }): string {
  const { link, error } = form;
  return page(
    error === undefined ? 'Verify your e-mail address' : 'Error: verify your e-mail address',
    html`<h1>Verify your e-mail address</h1>
      <p class="quiet">for ${link.email}</p>
      <p>${registrationStory(link.requested)}</p>
      <p id="rule">
        Set a password, and the account is yours: anyone logged in to it is logged out, and the previous password no
        longer works. At least 8 characters.
      </p>
      ${errorText(error)}
      <form method="post" action="${form.action}">
        ${linkFields(form)} ${usernameField(link.email)} ${newPasswordField({ rule: 'rule', error })}
        <div class="actions"><button type="submit">Verify and set the password</button></div>
      </form>
      ${buttonForm(form, 'I registered in this browser', html` class="second"`)}`,
  );
}

/** Also shows what will happen to the account, since someone else may have requested the change. */
export function confirmEmailPage(
  form: LinkForm & { link: AccountLink; needsPassword: boolean; error?: string | undefined },
): string {
  const { link, needsPassword, error } = form;
  return page(
    error === undefined ? 'Confirm the new address' : 'Error: confirm the new address',
    html`<h1>Confirm the new address</h1>
      <p class="quiet">${link.email}</p>
      <p>${changeStory(link.requested)} If you do not know why, close this page: nothing changes then.</p>
      ${errorText(error)}
      ${needsPassword ? passwordForm({ ...form, email: link.email }, error) : buttonForm(form, 'Use this address')}`,
  );
}

/**
 * Shows the new address as the user name, because it replaces the current one when the form is submitted. Someone who can read the new mailbox must
 * not see the current address.
 */
function passwordForm(form: LinkForm & { email: string }, error: string | undefined): Html {
  return html`<form method="post" action="${form.action}">
    ${linkFields(form)} ${usernameField(form.email)}
    <label for="current_password">Password of the account</label>
    <input
      id="current_password"
      name="current_password"
      type="password"
      autocomplete="current-password"
      required
      maxlength="256"
      autofocus
      ${describedBy(error)}
    />
    <div class="actions"><button type="submit">Use this address</button></div>
  </form>`;
}

export function undoEmailPage(form: LinkForm & { email: string }): string {
  return page(
    'Undo the change of address',
    html`<h1>Undo the change of address</h1>
      <p class="quiet">${form.email}</p>
      <p>
        Your Taskwire account gets this address back. All its sessions end, and its password no longer works: you set a
        new one next.
      </p>
      ${buttonForm(form, 'Undo the change')}`,
  );
}

function buttonForm(form: LinkForm, text: string, attributes?: Html): Html {
  return html`<form method="post" action="${form.action}">
    ${linkFields(form)}
    <div class="actions"><button type="submit" ${attributes}>${text}</button></div>
  </form>`;
}

function registrationStory(request: LinkRequest | undefined): string {
  if (request === undefined) return 'An account was created with this address.';
  const stories: Readonly<Record<RequestedBy, string>> = {
    registration: `An account was registered with this address ${whenAndWhere(request)}.`,
    admin: `An admin created an account with this address ${whenAndWhere(request)}.`,
    account_holder: `The holder of the account asked for this link ${whenAndWhere(request)}.`,
    anyone: `An account with this address exists. This link was requested ${whenAndWhere(request)}.`,
  };
  return stories[request.by];
}

function changeStory(request: LinkRequest | undefined): string {
  const who = request?.by === 'admin' ? 'An admin' : 'A user who is logged in to an account';
  const when = request === undefined ? '' : ` ${whenAndWhere(request)}`;
  return `${who} asked${when} to make this the address of that account.`;
}

function whenAndWhere({ at, network, browser }: LinkRequest): string {
  const time = `on ${new Date(at).toISOString().slice(0, 16).replace('T', ' at ')} UTC`;
  const place = [browser === null ? '' : ` with ${browser}`, network === null ? '' : ` from ${network}`];
  return `${time}${place.join('')}`;
}
