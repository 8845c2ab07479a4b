import { RawJson } from '@taskwire/http-server';
import type { Answer, Document } from '../app/ports.ts';

type Body = { body: RawJson; etag?: number | undefined; headers?: Record<string, string> };

/** Uses JSON text from the database as the response body, and the version as its ETag. */
export function toBody({ text, etag }: Document): Body {
  return { body: new RawJson(text), etag };
}

/** Does the same for a response that may be replayed, which its header then reports. */
export function toBodyOnce(answer: Answer): Body {
  return { ...toBody(answer), ...(answer.replayed ? { headers: { 'Idempotency-Replayed': 'true' } } : {}) };
}
