import { html, type Html } from './html.ts';

/** The field of the address that somebody logs in with. */
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

/** The field of a password that is about to be set; `rule` is the id of the text that says what it needs. */
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

/** What every form about a mailed link sends back, unseen. */
export function linkFields({ formToken, token }: { formToken: string; token: string }): Html {
  return html`<input type="hidden" name="form_token" value="${formToken}" />
    <input type="hidden" name="token" value="${token}" />`;
}

/** Which account a password is for: password managers want to know. */
export function usernameField(email: string): Html {
  return html`<input type="text" autocomplete="username" value="${email}" readonly hidden />`;
}

/** Why the last try failed; announced at once. */
export function errorText(error: string | undefined): Html | undefined {
  return error === undefined ? undefined : html`<p class="error" id="error" role="alert">${error}</p>`;
}

/** Of a field that the last try failed by. */
export function describedBy(error: string | undefined): Html {
  return error === undefined ? html`` : html` aria-invalid="true" aria-describedby="error"`;
}

/** The attribute of the field that a person fills in first. */
export const autofocus: Html = html` autofocus`;
