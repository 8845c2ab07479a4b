import { audiences, userScopes, type Audience, type Route, type UserScope } from '@taskwire/contracts';

/** The holder of the token to create: an admin, through Taskwire's own front end or another application; or a service. */
export type TokenHolder =
  | { kind: 'first_party' }
  | { kind: 'third_party'; scopes: readonly UserScope[] }
  | { kind: 'service'; scopes: readonly string[] };

export type WalkOptions = {
  baseUrl: string;
  audience: Audience;
  routes: Readonly<Record<string, Route>>;
  /** Creates a new token each time, for a session that no earlier call has ended. `userId`: the admin's id; any id for a service. */
  tokenOf(holder: TokenHolder): Promise<{ token: string; userId: string }>;
  /** Valid bodies, by operation id. An operation without an entry is called without a body, which fails validation if a body is required. */
  bodies?: Readonly<Record<string, unknown>>;
};

type Attempt = { holder: TokenHolder; isGranted: boolean };
type Answer = { status: number; code: string };

/**
 * Calls every operation of a contract with tokens of all scopes except those that the operation needs, of each scope that it needs alone, of no scope,
 * of all scopes, of the first-party front end, and of services. A scope never takes access away, so a scope that is refused together with all the
 * others is not tried alone. Reports each response that differs from the contract: 403 if the contract denies access, any other status if it grants
 * access.
 */
export async function walkScopes(options: WalkOptions): Promise<{ answers: number; faults: string[] }> {
  let answers = 0;
  const faults: string[] = [];
  for (const route of Object.values(options.routes)) {
    for (const { holder, isGranted } of attemptsOn(route, options.audience)) {
      const answer = await call(route, holder, options);
      answers += 1;
      const isRefused = answer.status === 403;
      const hasReason = holder.kind === 'service' || answer.code === 'insufficient_scope';
      if (isGranted ? isRefused : !isRefused || !hasReason) faults.push(describe(route, holder, answer));
    }
  }
  return { answers, faults };
}

function attemptsOn({ access }: Route, audience: Audience): Attempt[] {
  const { service } = audiences[audience];
  if (access.kind === 'anyone') return [];
  if (access.kind === 'service') {
    return [
      { holder: services(access.scope), isGranted: true },
      { holder: services(...without([...service, ...userScopes], access.scope)), isGranted: false },
      { holder: thirdParty(...userScopes), isGranted: false },
      { holder: { kind: 'first_party' }, isGranted: false },
    ];
  }
  const isForThirdParties = access.firstParty !== true;
  const needed = access.service === undefined ? [] : [access.service];
  return [
    ...access.scopes.map((scope) => ({ holder: thirdParty(scope), isGranted: isForThirdParties })),
    { holder: thirdParty(), isGranted: false },
    { holder: thirdParty(...without(userScopes, ...access.scopes)), isGranted: false },
    // requests the admin's own account
    { holder: thirdParty(...without(userScopes, ...access.scopes, 'admin')), isGranted: false },
    { holder: thirdParty(...userScopes), isGranted: isForThirdParties },
    { holder: { kind: 'first_party' }, isGranted: true },
    ...needed.map((scope) => ({ holder: services(scope), isGranted: true })),
    { holder: services(...without([...service, ...userScopes], ...needed)), isGranted: false },
  ];
}

function without<S extends string>(scopes: readonly S[], ...excluded: readonly string[]): S[] {
  return scopes.filter((scope) => !excluded.includes(scope));
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
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await response.text();
  const isProblem = response.headers.get('content-type')?.startsWith('application/problem+json') === true;
  return { status: response.status, code: isProblem ? (JSON.parse(text) as { code: string }).code : '' };
}

/** A holder without the scope admin requests the admin's own account; all others request a user or resource that does not exist. */
function idFor(holder: TokenHolder, userId: string): string {
  const isForOwn = holder.kind === 'third_party' && !holder.scopes.includes('admin');
  return isForOwn ? userId : crypto.randomUUID();
}

function describe({ operationId }: Route, holder: TokenHolder, { status, code }: Answer): string {
  const scopes = 'scopes' in holder ? ` with ${holder.scopes.join(' ') || 'no scope'}` : '';
  return `${operationId}: ${holder.kind}${scopes} got ${status} ${code}`;
}
