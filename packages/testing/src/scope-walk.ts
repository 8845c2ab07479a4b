import { audiences, userScopes, type Audience, type Route, type UserScope } from '@taskwire/contracts';

/** The holder of the token to create: an admin, through our own front end or another application; or a service. */
export type TokenHolder =
  | { kind: 'first_party' }
  | { kind: 'third_party'; scopes: readonly UserScope[] }
  | { kind: 'service'; scopes: readonly string[] };

export type WalkOptions = {
  baseUrl: string;
  audience: Audience;
  routes: Readonly<Record<string, Route>>;
  /** Creates a new token each time, for a session that nothing before has ended. `userId`: the admin's id; any id for a service. */
  tokenOf(holder: TokenHolder): Promise<{ token: string; userId: string }>;
  /** Valid bodies, by operation id; an operation without one is sent none, and is not executed if it requires one. */
  bodies?: Readonly<Record<string, unknown>>;
};

type Attempt = { holder: TokenHolder; isOpen: boolean };
type Answer = { status: number; code: string };

/**
 * Calls every operation of a contract with tokens of each single scope, of all scopes except those it needs, of all scopes, of our own front end, and
 * of services. Reports each response that differs from the contract: 403 where access is closed, anything else where it is open.
 */
export async function walkScopes(options: WalkOptions): Promise<{ answers: number; faults: string[] }> {
  let answers = 0;
  const faults: string[] = [];
  for (const route of Object.values(options.routes)) {
    for (const { holder, isOpen } of attemptsOn(route, options.audience)) {
      const answer = await call(route, holder, options);
      answers += 1;
      const isRefused = answer.status === 403;
      const saysWhy = holder.kind === 'service' || answer.code === 'insufficient_scope';
      if (isOpen ? isRefused : !isRefused || !saysWhy) faults.push(describe(route, holder, answer));
    }
  }
  return { answers, faults };
}

function attemptsOn({ access }: Route, audience: Audience): Attempt[] {
  const { service } = audiences[audience];
  if (access.kind === 'anyone') return [];
  if (access.kind === 'service') {
    return [
      ...service.map((scope) => ({ holder: services(scope), isOpen: scope === access.scope })),
      { holder: services(...userScopes.filter((scope) => scope !== access.scope)), isOpen: false },
      { holder: thirdParty(...userScopes), isOpen: false },
      { holder: { kind: 'first_party' }, isOpen: false },
    ];
  }
  const isForOthers = access.firstParty !== true;
  return [
    ...userScopes.map((scope) => ({ holder: thirdParty(scope), isOpen: isForOthers && access.scopes.includes(scope) })),
    { holder: thirdParty(), isOpen: false },
    { holder: thirdParty(...userScopes.filter((scope) => !access.scopes.includes(scope))), isOpen: false },
    { holder: thirdParty(...userScopes), isOpen: isForOthers },
    { holder: { kind: 'first_party' }, isOpen: true },
    ...[...service, ...userScopes].map((scope) => ({ holder: services(scope), isOpen: false })),
  ];
}

function thirdParty(...scopes: UserScope[]): TokenHolder {
  return { kind: 'third_party', scopes };
}

function services(...scopes: string[]): TokenHolder {
  return { kind: 'service', scopes };
}

async function call(
  route: Route,
  holder: TokenHolder,
  { baseUrl, tokenOf, bodies = {} }: WalkOptions,
): Promise<Answer> {
  const { token, userId } = await tokenOf(holder);
  const body = bodies[route.operationId];
  const response = await fetch(`${baseUrl}${route.path.replace('{id}', idFor(holder, userId))}`, {
    method: route.method.toUpperCase(),
    headers: {
      authorization: `Bearer ${token}`,
      ...(route.ifMatch === undefined ? {} : { 'if-match': '*' }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const isProblem = response.headers.get('content-type')?.startsWith('application/problem+json') === true;
  return { status: response.status, code: isProblem ? (JSON.parse(text) as { code: string }).code : '' };
}

/** A restricted holder asks for their own account; all others for a user or resource that does not exist. */
function idFor(holder: TokenHolder, userId: string): string {
  const isForOwn = holder.kind === 'third_party' && !holder.scopes.includes('admin');
  return isForOwn ? userId : crypto.randomUUID();
}

function describe({ operationId }: Route, holder: TokenHolder, { status, code }: Answer): string {
  const scopes = 'scopes' in holder ? ` with ${holder.scopes.join(' ') || 'no scope'}` : '';
  return `${operationId}: ${holder.kind}${scopes} got ${status} ${code}`;
}
