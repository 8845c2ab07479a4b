import { html, type Html } from './html.ts';

/** The field for the address that the user logs in with. */
export function emailField(given: { email: string; focus: boolean; error: string | undefined }): Html {
  return html`<label for="email">E-mail address</label>
    <input
      id="email"
      name="email"
      type="email"
      autocomplete="username"
      required
      maxlength="254"
      value="${given.email}"
      ${describedBy(given.error)}${given.focus ? autofocus : undefined}
    />`;
}

/** The field for a new password; `rule` is the id of the text that states the requirements. */
export function newPasswordField(given: { rule: string; error: string | undefined }): Html {
  return html`<label for="new_password">New password</label>
    <input
      id="new_password"
      name="new_password"
      type="password"
      autocomplete="new-password"
      required
      minlength="8"
      maxlength="256"
      autofocus
      ${given.error === undefined ? html` aria-describedby="${given.rule}"` : describedBy(given.error)}
    />`;
}

/** The hidden fields that every form opened by a mailed link sends back. */
export function linkFields({ formToken, token }: { formToken: string; token: string }): Html {
  return html`<input type="hidden" name="form_token" value="${formToken}" />
    <input type="hidden" name="token" value="${token}" />`;
}

/** The account that a password is for; password managers need it. */
export function usernameField(email: string): Html {
  return html`<input type="text" autocomplete="username" value="${email}" readonly hidden />`;
}

/** The reason why the last attempt failed, which screen readers announce at once. */
export function errorText(error: string | undefined): Html | undefined {
  return error === undefined ? undefined : html`<p class="error" id="error" role="alert">${error}</p>`;
}

/** The attributes of a field that caused the last attempt to fail. */
export function describedBy(error: string | undefined): Html {
  return error === undefined ? html`` : html` aria-invalid="true" aria-describedby="error"`;
}

/** The attribute of the first field to fill in. */
export const autofocus: Html = html` autofocus`;
