import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { bodyLimitOf } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import { readBytes, refuseManyParameters } from '@taskwire/http-server';

/** In bytes; what the gateway lets through. */
const largest = bodyLimitOf({ path: '/oidc' });

/** The fields of a form that was sent. @throws Problem `method_not_allowed`, `payload_too_large`, `unsupported_media_type`, `bad_request`. */
export async function readPostedForm(request: IncomingMessage): Promise<URLSearchParams> {
  if (request.method !== 'POST') {
    throw problem('method_not_allowed', 'Use GET, HEAD, POST.', { headers: { Allow: 'GET, HEAD, POST' } });
  }
  if (!/^application\/x-www-form-urlencoded\b/i.test(request.headers['content-type'] ?? '')) {
    throw problem('unsupported_media_type', 'Send a form.');
  }
  const text = (await readBytes(request, largest)).toString('utf8');
  refuseManyParameters(text);
  return new URLSearchParams(text);
}

/** Whether a form carries this token; the time tells nothing of it. */
export function hasToken(form: URLSearchParams, token: string): boolean {
  const given = Buffer.from(form.get('form_token') ?? '');
  const wanted = Buffer.from(token);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}
