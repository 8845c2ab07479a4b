import { describedBy, emailField, errorText } from './fields.ts';
import { html, page, type Way } from './html.ts';

/** What every form has: where it goes, and the token that says that it is ours. */
export type AccountForm = { action: string; formToken: string };

export function askForMailPage(
  form: AccountForm & { title: string; text: string; email: string; error?: string },
): string {
  const { title, text, email, error } = form;
  return page(
    error === undefined ? title : `Error: ${title}`,
    html`<h1>${title}</h1>
      <p class="quiet">${text}</p>
      ${errorText(error)}
      <form method="post" action="${form.action}">
        <input type="hidden" name="form_token" value="${form.formToken}" />
        ${emailField({ email, focus: true, error })}
        <div class="actions"><button type="submit">Send the mail</button></div>
      </form>`,
  );
}

/** Whoever has the link reads the mails of the address, so it may be shown; password managers want to know it. */
export function newPasswordPage(form: AccountForm & { token: string; email: string; error?: string }): string {
  const { error } = form;
  return page(
    error === undefined ? 'Set a new password' : 'Error: set a new password',
    html`<h1>Set a new password</h1>
      <p class="quiet">for ${form.email}</p>
      <p class="quiet" id="rule">At least 8 characters. You will be logged out everywhere.</p>
      ${errorText(error)}
      <form method="post" action="${form.action}">
        <input type="hidden" name="form_token" value="${form.formToken}" />
        <input type="hidden" name="token" value="${form.token}" />
        <input type="text" autocomplete="username" value="${form.email}" readonly hidden />
        <label for="new_password">New password</label>
        <input
          id="new_password"
          name="new_password"
          type="password"
          autocomplete="new-password"
          required
          minlength="8"
          maxlength="256"
          autofocus
          ${error === undefined ? html` aria-describedby="rule"` : describedBy(error)}
        />
        <div class="actions"><button type="submit">Set the password</button></div>
      </form>`,
  );
}

/** Opening it does nothing, since scanners of mails open links too: the button does. */
export function verifyPage(form: AccountForm & { token: string }): string {
  return page(
    'Verify your e-mail address',
    html`<h1>Verify your e-mail address</h1>
      <p>Press the button to confirm that the address is yours.</p>
      <form method="post" action="${form.action}">
        <input type="hidden" name="form_token" value="${form.formToken}" />
        <input type="hidden" name="token" value="${form.token}" />
        <div class="actions"><button type="submit">Verify the address</button></div>
      </form>`,
  );
}

export function donePage({ title, text }: { title: string; text: string }): string {
  return page(
    title,
    html`<h1>${title}</h1>
      <p role="status">${text}</p>`,
  );
}

export function failedPage({ title, text, way }: { title: string; text: string; way: Way }): string {
  return page(
    `Error: ${title}`,
    html`<h1>${title}</h1>
      <p role="alert">${text}</p>
      <p><a href="${way.href}">${way.text}</a></p>`,
  );
}
