import type { KoaContextWithOIDC } from 'oidc-provider';
import type { Audit } from '../app/ports/audit.ts';
import { requestOrigin } from './origin.ts';

/**
 * Records a refusal by the token endpoint, with the reason why a client failed to authenticate. Issued tokens are recorded when the authorization
 * code or refresh token is consumed.
 */
export async function recordRefusal(audit: Audit, ctx: KoaContextWithOIDC, why: string | undefined): Promise<void> {
  if (ctx.oidc?.route !== 'token' || ctx.status < 400 || ctx.status >= 500) return;
  const { error } = ctx.body as { error?: string };
  const id = ctx.oidc.client?.clientId;
  const client = id === undefined ? null : ({ kind: 'client', id } as const);
  // a client that failed to authenticate only claims to be this client
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
 * Records the tokens that clients obtain on their own behalf, once a day for each client and set of scopes: services request a token every few
 * minutes. If this fails, the first token of the day is not issued.
 */
export function recordOwnTokens(audit: Audit) {
  let day = '';
  // one entry for each client and set of scopes
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
