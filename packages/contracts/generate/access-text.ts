import { casesOf, type Access, type Party, type UserAccess } from '../src/rest/access.ts';
import type { Route } from '../src/rest/route.ts';

const parties: Readonly<Record<Party, string>> = {
  admin: 'admins',
  manager: 'managers',
  member: 'members',
  creator: 'the creator',
  assignee: 'the assignee',
  self: 'the user concerned',
  owner: 'the owner',
  recipient: 'the recipient',
  author: 'the author',
  inviter: 'the inviter',
  contributor: 'contributors of its project',
  lead: 'leads of its project',
  reader: 'every user, in a project its members, managers and admins',
  writer: 'every user, in a project its contributors, leads, managers and admins',
  everyone: 'every user',
};

/**
 * Returns the sentences that say who may call an operation, and under which conditions, as far as OpenAPI's security requirements cannot express
 * this.
 */
export function accessSentences(access: Access): string[] {
  if (access.kind === 'service' && access.public === true) return [`For ${servicesWith(access.scope)}.`];
  if (access.kind !== 'user') return [];
  return [`For ${allowed(access).join('; for ')}.`, ...conditions(access)];
}

/** Lists the parties, each group with the cases that it may use. */
function allowed({ service, ...people }: UserAccess): string[] {
  return [...allowedPeople(people), ...(service === undefined ? [] : [servicesWith(service)])];
}

/** Services are also limited to the queues of their registration. */
function servicesWith(scope: string): string {
  return `services with \`${scope}\``;
}

function allowedPeople({ roles, objects }: Pick<UserAccess, 'roles' | 'objects'>): string[] {
  if (objects === undefined) return [series(roles ?? ['everyone'])];
  const byParties = Map.groupBy(casesOf(objects), ([, listed]) => series(listed));
  return [...byParties].map(([text, cases]) => {
    const names = cases.flatMap(([name]) => (name === '' ? [] : [`\`${name}\``]));
    return names.length === 0 ? text : `${text} (${names.join(', ')})`;
  });
}

function conditions({ firstParty, recentLogin }: UserAccess): string[] {
  return [
    ...(firstParty === true ? ['Requires a token of `POST /api/v1/auth/login`: no scope lets another application do this.'] : []),
    ...(recentLogin === true ? ['Requires a log-in within the last five minutes.'] : []),
  ];
}

function series(listed: readonly Party[]): string {
  const texts = listed.map((party) => parties[party]);
  return [texts.slice(0, -1).join(', '), ...texts.slice(-1)].filter((text) => text !== '').join(' and ');
}

/** Returns a Markdown table of all operations for users, and of the parties that may call each. */
export function permissionsDocument(services: Readonly<Record<string, Readonly<Record<string, Route>>>>): string {
  const sections = Object.entries(services).map(([title, routes]) => {
    const rows = Object.values(routes).flatMap(({ method, path, summary, access }) => {
      const row = (...cells: string[]) => `| \`${method.toUpperCase()} ${path}\` | ${summary} | ${cells.join(' | ')} |`;
      if (access.kind === 'user') return [row(allowed(access).join('; '), scopesOf(access), conditions(access).join(' '))];
      if (access.kind === 'service' && access.public === true) return [row(servicesWith(access.scope), `\`${access.scope}\``, '')];
      return [];
    });
    return [`## ${title}`, '', '| operation | summary | for | one of the scopes | condition |', '| --- | --- | --- | --- | --- |', ...rows].join('\n');
  });
  return `${[head, ...sections].join('\n\n')}\n`;
}

const head = `# Permissions

Who may call which operation on which object. Generated from \`access\` in packages/contracts by \`npm run generate\`. Anyone else gets 403, or 404 where
the existence of the object is private. Operations without a row need no user. An account whose address is not verified can call only the operations on
itself, unless the installation doesn't require verified addresses.`;

function scopesOf({ scopes }: UserAccess): string {
  return scopes.map((scope) => `\`${scope}\``).join(', ');
}
