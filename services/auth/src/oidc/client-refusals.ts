import { decodeJwt, type JWTPayload } from 'jose';
import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import * as errors from 'oidc-provider/lib/helpers/errors.js';
import type { Logger } from '@taskwire/telemetry';

/** Why a client failed to authenticate. `reason` is one of a fixed set of texts and contains nothing chosen by the caller; `detail` holds figures. */
export type ClientRefusal = { reason: string; detail?: string };

/**
 * Logs why clients fail to authenticate, and returns the reason for the audit entry of a request. Callers never see the reason, because they may be
 * guessing.
 */
export function explainClientRefusals(provider: Provider, logger: Logger): (ctx: object) => string | undefined {
  const reasons = new WeakMap<object, string>();
  const explain = (ctx: KoaContextWithOIDC, error: Error) => {
    if (!(error instanceof errors.InvalidClientAuth)) return;
    const { reason, detail } = refusalOf(ctx, error.error_detail ?? 'unknown reason');
    // the time by which the assertion was judged, from which a client can tell how far its clock is off
    ctx.set('Date', new Date().toUTCString());
    reasons.set(ctx, reason);
    logger.warn('a client could not authenticate', {
      client: claimedId(ctx),
      reason,
      detail,
    });
  };
  provider.on('grant.error', explain);
  provider.on('introspection.error', explain);
  provider.on('revocation.error', explain);
  return (ctx) => reasons.get(ctx);
}

/** The provider's messages, reworded for operators. */
const reasons: Readonly<Record<string, string>> = {
  'client not found': 'no client has this id',
  'invalid secret provided': 'the secret is wrong',
  'alg mismatch': 'the assertion is signed with an algorithm that is not accepted',
  'client assertion tokens must only be used once': 'the assertion was used before',
  'no applicable key found in the JSON Web Key Set':
    'no key of the client fits the key id and algorithm of the assertion',
  'signature verification failed': 'no key of the client made the signature of the assertion',
};

function refusalOf(ctx: KoaContextWithOIDC, message: string): ClientRefusal {
  const clock = clockFault(ctx, message);
  if (clock !== undefined) return clock;
  const { client } = ctx.oidc;
  if (client !== undefined && message.startsWith('the provided authentication mechanism')) {
    const method = { none: 'nothing', private_key_jwt: 'an assertion by its key' }[client.clientAuthMethod ?? ''];
    return { reason: `the client is registered to authenticate with ${method ?? 'its secret'}` };
  }
  return { reason: reasons[message] ?? message };
}

/** The apparent clock difference that network latency alone may cause, in seconds. */
const tolerated = 5;

/** Whether an assertion was refused because of its timestamps, and, if so, the difference of the client's clock that they reveal. */
function clockFault({ oidc }: KoaContextWithOIDC, message: string): ClientRefusal | undefined {
  const claims = claimsOf(oidc.params?.['client_assertion']);
  if (claims === undefined) return undefined;
  const now = Math.floor(Date.now() / 1000);
  const madeAt = Math.max(claims.iat ?? 0, claims.nbf ?? 0);
  const isForTimes = ['jwt not active yet', 'jwt issued in the future', 'jwt expired', assertionTooLong].includes(
    message,
  );
  if (isForTimes && madeAt > now + tolerated) {
    return { reason: 'the clock of the client is ahead of ours', detail: `by ${madeAt - now} seconds` };
  }
  if (message !== 'jwt expired') return undefined;
  const made = claims.iat === undefined ? '' : `, made ${now - claims.iat} seconds ago`;
  return {
    reason: 'the assertion has expired: the clock of the client is behind ours, or it uses assertions again',
    detail: `expired ${now - Number(claims.exp)} seconds ago by our clock${made}`,
  };
}

/** The message of our additional check for an assertion that expires too far in the future. */
export const assertionTooLong = 'the assertion lives too long';

function claimsOf(assertion: unknown): JWTPayload | undefined {
  try {
    return decodeJwt(String(assertion));
  } catch {
    return undefined;
  }
}

/** The client id that a caller claims, if it is a well-formed id. */
function claimedId({ oidc, headers }: KoaContextWithOIDC): string | undefined {
  const basic = /^basic (.+)$/i.exec(headers.authorization ?? '')?.[1];
  const [named] = basic === undefined ? [] : Buffer.from(basic, 'base64').toString('latin1').split(':');
  const id =
    oidc.client?.clientId ?? oidc.params?.['client_id'] ?? claimsOf(oidc.params?.['client_assertion'])?.sub ?? named;
  return typeof id === 'string' && /^[\x21-\x7e]{1,100}$/.test(id) ? id : undefined;
}
