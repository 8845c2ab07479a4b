import { autofocus, describedBy, errorText } from './fields.ts';
import { html, page } from './html.ts';
import type { AccountForm } from './account-pages.ts';

export type InvitationForm = AccountForm & { token: string; email: string; name: string; error?: string };

/** Anyone with the link reads the mails of this address, so the address may be shown; password managers need it. */
export function invitationPage(form: InvitationForm): string {
  const { error } = form;
  return page(
    error === undefined ? 'Create your account' : 'Error: create your account',
    html`<h1>Create your account</h1>
      <p class="quiet">for ${form.email}</p>
      ${errorText(error)}
      <form method="post" action="${form.action}">
        <input type="hidden" name="form_token" value="${form.formToken}" />
        <input type="hidden" name="token" value="${form.token}" />
        <input type="text" autocomplete="username" value="${form.email}" readonly hidden />
        <label for="name">Your name</label>
        <input
          id="name"
          name="name"
          type="text"
          autocomplete="name"
          required
          maxlength="100"
          value="${form.name}"
          ${form.name === '' ? autofocus : undefined}
        />
        <label for="password">Password</label>
        <p class="quiet" id="rule">At least 8 characters.</p>
        <input
          id="password"
          name="password"
          type="password"
          autocomplete="new-password"
          required
          minlength="8"
          maxlength="256"
          ${error === undefined ? html` aria-describedby="rule"` : describedBy(error)}${form.name === '' ? undefined : autofocus}
        />
        <div class="actions"><button type="submit">Create the account</button></div>
      </form>`,
  );
}
