import { html, page } from './html.ts';

export type ConsentPage = {
  action: string;
  formToken: string;
  clientName: string;
  email: string;
  scopes: readonly string[];
};

/** What a scope allows, in the words of a person; one that is missing here is shown by its name. */
const meanings: Readonly<Record<string, string>> = {
  openid: 'know who you are',
  profile: 'see your name',
  email: 'see your e-mail address',
  offline_access: 'go on doing this while you are away, also after you log out',
  account: 'see and change your account as you can yourself',
  tasks: 'see and change tasks as you can yourself',
  notifications: 'read your notifications',
};

export function consentPage({ action, formToken, clientName, email, scopes }: ConsentPage): string {
  return page(
    'Allow access',
    html`<h1>Allow ${clientName}?</h1>
      <p class="quiet">You are logged in as ${email}</p>
      <p id="wants">${clientName} wants to</p>
      <ul aria-labelledby="wants">
        ${scopes.map((scope) => html`<li>${meanings[scope] ?? scope}</li> `)}
      </ul>
      <form method="post" action="${action}">
        <input type="hidden" name="form_token" value="${formToken}" />
        <div class="actions">
          <button type="submit" name="decision" value="allow">Allow</button>
          <button type="submit" name="decision" value="cancel" class="second">Deny</button>
        </div>
      </form>`,
  );
}
