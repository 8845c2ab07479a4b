import { autofocus, describedBy, emailField, errorText } from './fields.ts';
import { html, page, type NextStep } from './html.ts';

export type LoginPage = {
  action: string;
  formToken: string;
  clientName: string;
  email: string;
  /** Links for users who can't log in. */
  nextSteps: readonly NextStep[];
  /** Why the last attempt failed. */
  error: string | undefined;
};

export function loginPage({ action, formToken, clientName, email, nextSteps, error }: LoginPage): string {
  return page(
    error === undefined ? 'Log in' : 'Error: log in',
    html`<h1>Log in</h1>
      <p class="quiet">to continue to ${clientName}</p>
      ${errorText(error)}
      <form method="post" action="${action}">
        <input type="hidden" name="form_token" value="${formToken}" />
        ${emailField({ email, focus: email === '', error })}
        <label for="password">Password</label>
        <input
          id="password"
          name="password"
          type="password"
          autocomplete="current-password"
          required
          maxlength="1000"
          ${describedBy(error)}${email === '' ? undefined : autofocus}
        />
        <div class="actions">
          <button type="submit" name="decision" value="log_in">Log in</button>
          <button type="submit" name="decision" value="cancel" class="second" formnovalidate>Cancel</button>
        </div>
      </form>
      ${nextSteps.map(({ href, text }) => html`<p class="next"><a href="${href}">${text}</a></p>`)}`,
  );
}
