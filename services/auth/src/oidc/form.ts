import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { bodyLimitOf } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import { readBytes, refuseManyParameters } from '@taskwire/http-server';

/** Maximum size in bytes: the gateway's limit. */
const maxFormBytes = bodyLimitOf({ path: '/oidc' });

/** Returns the text of a posted form. @throws Problem `method_not_allowed`, `payload_too_large`, `unsupported_media_type`, `bad_request`. */
export async function readFormText(request: IncomingMessage): Promise<string> {
  if (request.method !== 'POST') {
    throw problem('method_not_allowed', 'Use GET, HEAD, POST.', { headers: { Allow: 'GET, HEAD, POST' } });
  }
  if (!/^application\/x-www-form-urlencoded\b/i.test(request.headers['content-type'] ?? '')) {
    throw problem('unsupported_media_type', 'Send a form.');
  }
  const text = (await readBytes(request, maxFormBytes)).toString('utf8');
  refuseManyParameters(text);
  return text;
}

/** Returns the fields of a posted form. @throws the same problems as `readFormText`. */
export async function readPostedForm(request: IncomingMessage): Promise<URLSearchParams> {
  return new URLSearchParams(await readFormText(request));
}

/**
 * Lets the provider read a body that this service has already read. The provider accepts a parsed body, but then writes a warning to stderr, between
 * our log lines. It reads the body through `iterator` as long as the request is `readable`.
 */
export function replayBody(request: IncomingMessage, text: string): void {
  Object.defineProperty(request, 'readable', { value: true });
  Object.defineProperty(request, 'iterator', {
    async *value() {
      yield Buffer.from(text);
    },
  });
}

/** Whether a form contains this token. The comparison takes constant time. */
export function hasToken(form: URLSearchParams, token: string): boolean {
  const given = Buffer.from(form.get('form_token') ?? '');
  const expected = Buffer.from(token);
  return given.length === expected.length && timingSafeEqual(given, expected);
}
