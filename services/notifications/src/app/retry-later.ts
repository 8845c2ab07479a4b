import type { Unavailable } from '@taskwire/http-client';
import type { Plan } from './ports.ts';

/** Plans another attempt: after `retryAfterMs`, or with the inbox's own back-off. */
export function retryLater({ detail, retryAfterMs }: Pick<Unavailable, 'detail' | 'retryAfterMs'>): Plan {
  return { kind: 'retry_later', reason: detail, afterMs: retryAfterMs };
}
