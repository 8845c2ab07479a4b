import { html, page, type Html, type Way } from './html.ts';

export type LoginPage = {
  action: string;
  formToken: string;
  clientName: string;
  email: string;
  /** Where to go for who cannot log in. */
  ways: readonly Way[];
  /** Why the last try failed. */
  error: string | undefined;
};

export function loginPage({ action, formToken, clientName, email, ways, error }: LoginPage): string {
  const described = error === undefined ? html`` : html` aria-invalid="true" aria-describedby="error"`;
  return page(
    error === undefined ? 'Log in' : 'Error: log in',
    html`<h1>Log in</h1>
      <p class="quiet">to go on to ${clientName}</p>
      ${error === undefined ? undefined : html`<p class="error" id="error" role="alert">${error}</p>`}
      <form method="post" action="${action}">
        <input type="hidden" name="form_token" value="${formToken}" />
        <label for="email">E-mail address</label>
        <input
          id="email"
          name="email"
          type="email"
          autocomplete="username"
          required
          maxlength="254"
          value="${email}"
          ${described}${focus(email === '')}
        />
        <label for="password">Password</label>
        <input
          id="password"
          name="password"
          type="password"
          autocomplete="current-password"
          required
          maxlength="1000"
          ${described}${focus(email !== '')}
        />
        <div class="actions">
          <button type="submit" name="decision" value="log_in">Log in</button>
          <button type="submit" name="decision" value="cancel" class="second" formnovalidate>Cancel</button>
        </div>
      </form>
      ${ways.map(({ href, text }) => html`<p class="way"><a href="${href}">${text}</a></p>`)}`,
  );
}

function focus(isFirst: unknown): Html {
  return isFirst === true ? html` autofocus` : html``;
}
