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
