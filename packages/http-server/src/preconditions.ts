import { problem } from '@taskwire/errors';

/** The versions that a caller accepts: any of these, or whatever there is. */
export type IfMatch = readonly number[] | '*';

/**
 * Reads If-Match (RFC 9110 section 13.1.1). Weak tags never match there (strong comparison), so they stand for no version.
 * @throws Problem `bad_etag` for what is not a list of entity tags.
 */
export function parseIfMatch(header: string | undefined): IfMatch | undefined {
  if (header === undefined) return undefined;
  if (header.trim() === '*') return '*';
  const tags = header.split(',').map((tag) => tag.trim());
  if (header.length > 1000 || !tags.every((tag) => /^(W\/)?"[\x21\x23-\x7e]*"$/.test(tag))) {
    throw problem('bad_etag', 'Send the ETag of the resource as it was answered, in quotes, or *.');
  }
  return tags.flatMap((tag) => (/^"\d{1,15}"$/.test(tag) ? [Number(tag.slice(1, -1))] : []));
}

/** Whether a version is one that the caller accepts; a caller that did not say accepts any. */
export function accepts(ifMatch: IfMatch | undefined, version: number): boolean {
  return ifMatch === undefined || ifMatch === '*' || ifMatch.includes(version);
}

/** @throws Problem `precondition_failed` unless the caller accepts this version. */
export function requireMatch(ifMatch: IfMatch | undefined, version: number): void {
  if (accepts(ifMatch, version)) return;
  throw problem('precondition_failed', 'Read the resource again and repeat the change on what it is now.', {
    headers: { ETag: entityTag(version) },
  });
}

/** A version as a strong entity tag. */
export function entityTag(version: number): string {
  return `"${version}"`;
}

/** Whether If-None-Match (RFC 9110 section 13.1.2, weak comparison) names this version. */
export function isNotModified(header: string | undefined, version: number): boolean {
  if (header === undefined) return false;
  const tags = header.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes('*') || tags.includes(entityTag(version));
}

/**
 * Reads Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): 1 to 255 visible ASCII characters, with or without the quotes of a
 * structured-field string. @throws Problem `bad_idempotency_key`.
 */
export function parseIdempotencyKey(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const key = /^"([\x20\x21\x23-\x5b\x5d-\x7e]*)"$/.exec(header)?.[1] ?? header;
  if (!/^[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?$/.test(key)) {
    throw problem('bad_idempotency_key', 'Send 1 to 255 visible ASCII characters, for example a UUID.');
  }
  return key;
}
