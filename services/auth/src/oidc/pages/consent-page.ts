import { audiences, type Audience, type Role } from '@taskwire/contracts';
import type { RequestedAccess } from '../consent.ts';
import { html, page, type Html } from './html.ts';

export type ConsentPage = {
  action: string;
  formToken: string;
  clientName: string;
  email: string;
  role: Role;
  asked: RequestedAccess;
};

/** Meanings of the scopes of OpenID Connect, in words for users. */
const openidMeanings: Readonly<Record<string, string>> = {
  openid: 'know who you are',
  profile: 'see your name',
  email: 'see your e-mail address',
  offline_access: 'keep this access while you are away, even after you log out',
};

type Meanings = { [A in Audience]: Record<(typeof audiences)[A]['user'][number], string> };

/** Meanings of the services' scopes. Every scope that users can consent to is described here. */
const meanings: Meanings = {
  'urn:taskwire:auth': {
    'account:read': 'see your account: name, e-mail address, role, sessions, and the access that you gave applications',
    'account:write': 'change your name',
    admin:
      'read, create, change and delete other people’s accounts, invite people, change roles, and read the audit log',
  },
  'urn:taskwire:tasks': {
    'tasks:read': 'see tasks, and what happened to them',
    'tasks:write': 'create, change, assign, start, complete, cancel and delete tasks, as you can',
    admin: 'reassign all open tasks at random; read, replay and drop messages that failed in Tasks',
  },
  'urn:taskwire:notifications': {
    'notifications:read': 'see your notifications',
    'notifications:write': 'mark your notifications as read',
    admin: 'read, replay and drop messages that failed in Notifications',
  },
};

export function consentPage({ action, formToken, clientName, email, role, asked }: ConsentPage): string {
  const allowed = meaningsOf(asked);
  const asksForAdmin = Object.values(asked.resources).some((scopes) => scopes.includes('admin'));
  return page(
    'Allow access',
    html`<h1>Allow ${clientName}?</h1>
      <p class="quiet">You are logged in as ${email}</p>
      ${asksForAdmin ? warning(clientName, role) : undefined} ${wishes(clientName, allowed)}
      ${asked.refused.length === 0 ? undefined : refusal(clientName, role)}
      <form method="post" action="${action}">
        <input type="hidden" name="form_token" value="${formToken}" />
        <div class="actions">
          ${allowed.length === 0 ? undefined : allowButton(asksForAdmin ? 'Allow administration' : 'Allow')}
          <button type="submit" name="decision" value="cancel" class="second">Deny</button>
        </div>
      </form>`,
  );
}

function meaningsOf({ openid, resources }: RequestedAccess): string[] {
  const ofServices = Object.entries(resources).flatMap(([audience, scopes]) =>
    scopes.map((scope) => (meanings as Record<string, Record<string, string>>)[audience]?.[scope]),
  );
  return [...openid.map((scope) => openidMeanings[scope]), ...ofServices].filter((words) => words !== undefined);
}

function wishes(clientName: string, allowed: readonly string[]): Html | undefined {
  if (allowed.length === 0) return undefined;
  return html`<p id="wants">${clientName} wants to</p>
    <ul aria-labelledby="wants">
      ${allowed.map((words) => html`<li>${words}</li> `)}
    </ul>`;
}

function warning(clientName: string, role: Role): Html {
  return html`<section class="warning" aria-labelledby="warning">
    <h2 id="warning">Warning: ${clientName} wants to administer Taskwire in your name</h2>
    <p>
      It could do everything that your role (${role}) allows you to do to other people, and to Taskwire as a whole. Its
      actions count as yours, and remain when you withdraw the permission, including administrators that it creates.
      Allow it only if you trust it as you trust yourself.
    </p>
  </section>`;
}

function refusal(clientName: string, role: Role): Html {
  return html`<p class="quiet">
    ${clientName} also asks to administer Taskwire. Your role (${role}) does not allow that, so it will not be able to.
  </p>`;
}

function allowButton(label: string): Html {
  return html`<button type="submit" name="decision" value="allow">${label}</button>`;
}
