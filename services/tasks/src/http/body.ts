import { RawJson } from '@taskwire/http-server';
import type { Answer, Document } from '../app/ports.ts';

type Body = { body: RawJson; etag?: number; headers?: Record<string, string> };

/** JSON text of the database as a body, with the version as its ETag. */
export function toBody({ text, etag }: Document): Body {
  return { body: new RawJson(text), ...(etag === undefined ? {} : { etag }) };
}

/** The same for an answer that may be one that was given before, which its header then says. */
export function toBodyOnce(answer: Answer): Body {
  return { ...toBody(answer), ...(answer.replayed ? { headers: { 'Idempotency-Replayed': 'true' } } : {}) };
}
