import type { IncomingMessage } from 'node:http';
import { parse } from 'node:querystring';
import { is } from 'type-is';
import { bodyLimitOf, type Route } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import { nothing, parseInput } from '../input.ts';
import { readBytes } from './bytes.ts';
import { parseJson } from './json.ts';
import { refuseManyParameters } from './parameters.ts';

/**
 * Reads and parses the body of a route; returns undefined if the body was omitted and the route allows this. @throws Problem as `readBytes`,
 * `parseJson` and `refuseManyParameters`, and `unsupported_media_type`.
 */
export function bodyReader(route: Route): (request: IncomingMessage) => Promise<unknown> {
  const mediaType = route.bodyType ?? 'application/json';
  const accepted = route.bodyType === undefined ? ['json', '+json'] : [route.bodyType];
  const limit = bodyLimitOf(route);
  return async (request) => {
    if (!hasBody(request) && route.optionalBody === true) return undefined;
    if (!hasBody(request)) throw problem('malformed_json', `The request has no body; send ${mediaType}.`);
    if (is(request.headers['content-type'] ?? '', accepted) === false) {
      throw problem('unsupported_media_type', `Send the body with Content-Type: ${mediaType}.`);
    }
    requireUtf8(request);
    const text = decode(await readBytes(request, limit));
    return route.bodyType === undefined ? parseJson(text, route.maxBodyValues) : parseForm(text);
  };
}

/**
 * Reads the body of a route that has none: callers may send an empty one, or an empty object. @throws Problem as `bodyReader`, and `invalid_input` for
 * any other body: its sender expects an effect that the operation does not have.
 */
export function emptyBodyReader(route: Route): (request: IncomingMessage) => Promise<undefined> {
  const limit = bodyLimitOf(route);
  return async (request) => {
    if (!hasBody(request)) return;
    const text = decode(await readBytes(request, limit));
    if (text.trim() !== '') parseInput(nothing, parseJson(text));
  };
}

function parseForm(text: string): unknown {
  refuseManyParameters(text);
  return parse(text);
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Decodes UTF-8 strictly: a lenient decoder would replace invalid bytes with U+FFFD, and the original bytes would be lost. @throws Problem
 * `malformed_json`.
 */
function decode(bytes: Buffer): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw problem('malformed_json', 'The body is not UTF-8 (RFC 8259 section 8.1).', { cause });
  }
}

/** RFC 8259 section 8.1. */
function requireUtf8(request: IncomingMessage): void {
  const charset = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(request.headers['content-type'] ?? '')?.[1] ?? 'utf-8';
  if (!/^utf-?8$/i.test(charset)) throw problem('unsupported_media_type', 'The charset must be UTF-8.');
}
