import type { Plan } from './ports.ts';

/** Plans another attempt: after `retryAfterMs`, or with the inbox's own back-off. */
export function retryLater({ detail, retryAfterMs }: { detail: string; retryAfterMs?: number | undefined }): Plan {
  return { kind: 'retry_later', reason: detail, afterMs: retryAfterMs };
}
