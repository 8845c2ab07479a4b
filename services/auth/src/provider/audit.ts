import type { KoaContextWithOIDC } from 'oidc-provider';
import type { Audit } from '../app/audit.ts';
import { requestOrigin } from './origin.ts';

/**
 * Records that the token endpoint said no, with why a client could not authenticate. What it gave out is recorded with the change of code or refresh token that it
 * came from.
 */
export async function recordRefusal(audit: Audit, ctx: KoaContextWithOIDC, why: string | undefined): Promise<void> {
  if (ctx.oidc?.route !== 'token' || ctx.status < 400 || ctx.status >= 500) return;
  const { error } = ctx.body as { error?: string };
  const id = ctx.oidc.client?.clientId;
  const client = id === undefined ? null : ({ kind: 'client', id } as const);
  // one whose authentication failed is only said to be this client
  const actor = error === 'invalid_client' ? null : client;
  await audit.recordRefusal({
    actor,
    action: 'token.request',
    subject: client,
    // the provider's own context has ended
    origin: requestOrigin(ctx.req as Request, actor?.id ?? null),
    reason: why === undefined ? error : `${error}: ${why}`,
  });
}

/**
 * Records the tokens that clients get in their own name, once a day for each client and set of scopes: services get a token every few minutes.
 * The first one of a day is not given when this fails.
 */
export function recordOwnTokens(audit: Audit) {
  let day = '';
  // as many as clients have sets of scopes
  let recorded = new Set<string>();
  return async (ctx: KoaContextWithOIDC): Promise<void> => {
    const token = ctx.oidc?.route === 'token' && ctx.status === 200 ? ctx.oidc.entities.ClientCredentials : undefined;
    if (token?.clientId === undefined) return;
    const today = new Date().toISOString().slice(0, 10);
    if (day !== today) [day, recorded] = [today, new Set()];
    const scopes = (token.scope ?? '').split(' ').filter(Boolean).sort();
    const reason = [token.resourceServer?.identifier() ?? '', ...scopes].join(' ').trim();
    const key = `${token.clientId} ${reason}`;
    if (recorded.has(key)) return;
    const client = { kind: 'client', id: token.clientId } as const;
    const origin = requestOrigin(ctx.req as Request, token.clientId);
    await audit.recordOnce(
      { actor: client, action: 'token.issue', subject: client, origin, reason, outcome: 'success' },
      'today',
    );
    recorded.add(key);
  };
}

type Request = Parameters<typeof requestOrigin>[0];
