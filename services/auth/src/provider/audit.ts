import type { KoaContextWithOIDC } from 'oidc-provider';
import type { Audit } from '../app/audit.ts';
import { requestOrigin } from './origin.ts';

/** Records that the token endpoint said no. What it gave out is recorded with the change of code or refresh token that it came from. */
export async function recordRefusal(audit: Audit, ctx: KoaContextWithOIDC): Promise<void> {
  if (ctx.oidc?.route !== 'token' || ctx.status < 400 || ctx.status >= 500) return;
  const { error: reason } = ctx.body as { error?: string };
  const id = ctx.oidc.client?.clientId;
  const client = id === undefined ? null : ({ kind: 'client', id } as const);
  await audit.recordRefusal({
    // one whose authentication failed is only said to be this client
    actor: reason === 'invalid_client' ? null : client,
    action: 'token.request',
    subject: client,
    // the provider's own context has ended
    origin: requestOrigin(ctx.req as Parameters<typeof requestOrigin>[0]),
    reason,
  });
}
