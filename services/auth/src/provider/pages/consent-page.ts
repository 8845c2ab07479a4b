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
  'account:read': 'see your account',
  'account:write': 'change your name and end sessions',
  'tasks:read': 'see the tasks that you can see',
  'tasks:write': 'create, change, assign and delete tasks as you can',
  'notifications:read': 'see your notifications',
  'notifications:write': 'mark your notifications as read',
  admin: 'administer Taskwire as you can: other people, roles, the audit log and failed messages',
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
