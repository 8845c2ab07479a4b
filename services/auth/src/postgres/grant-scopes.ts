/** The scopes of one audience; the audience is null for the scopes of OpenID Connect, which identify the user. */
export type AllowedScopes = { audience: string | null; scopes: string[] };

/** Returns the scopes that a user granted a client, from the provider's stored grant, without scopes that were requested but rejected. */
export function allowedScopes({ openid, resources, rejected }: StoredGrant): AllowedScopes[] {
  const asked = [[null, openid?.scope, rejected?.openid?.scope] as const];
  const others = Object.entries(resources ?? {}).map(
    ([audience, scope]) => [audience, scope, rejected?.resources?.[audience]] as const,
  );
  return [...asked, ...others]
    .map(([audience, given, refused]) => ({
      audience,
      scopes: listed(given).filter((one) => !listed(refused).includes(one)),
    }))
    .filter(({ scopes }) => scopes.length > 0);
}

/** Returns these scopes as one line, for the audit log. */
export function allowedScopesText(grant: StoredGrant): string {
  return allowedScopes(grant)
    .map(({ audience, scopes }) => [...(audience === null ? [] : [`${audience}:`]), ...scopes].join(' '))
    .join('; ');
}

type Allowed = { openid?: { scope?: string | undefined } | undefined; resources?: Record<string, string> | undefined };
export type StoredGrant = Allowed & { rejected?: Allowed | undefined };

function listed(scope: string | undefined): string[] {
  return (scope ?? '').split(' ').filter(Boolean);
}
