import { hash } from 'node:crypto';
import type { Route } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';

/** The versions of the current epoch that a caller accepts: any of these, or any existing version. */
export type IfMatch = { epoch: number; versions: readonly number[] | 'any' };

/**
 * An entity tag of this API: the epoch unless it is 1, the version, and the hash of a representation unless the tag has only the version. A restored
 * database reuses version numbers, so the tag of a version that was lost must not match the version that has replaced it (ADR 38).
 */
const versionedTag = /^"(?:e(\d{1,9})-)?(\d{1,15})(-[\w-]{1,64})?"$/;

/**
 * Parses If-Match (RFC 9110 section 13.1.1). A change is based on a version, regardless of the names and other derived parts of its representation,
 * so only the version in each tag counts; a tag with only a version (`"3"`) is accepted. Weak tags never match (strong comparison), so they
 * contribute no version; tags of another epoch contribute none either.
 * @throws Problem `bad_etag` for a value that is not a list of entity tags.
 */
export function parseIfMatch(header: string | undefined, epoch: number): IfMatch | undefined {
  if (header === undefined) return undefined;
  if (header.trim() === '*') return { epoch, versions: 'any' };
  const tags = header.split(',').map((tag) => tag.trim());
  if (header.length > 1000 || !tags.every((tag) => /^(W\/)?"[\x21\x23-\x7e]*"$/.test(tag))) {
    throw problem('bad_etag', 'Send the ETag of the resource exactly as received, in quotes, or *.');
  }
  const versions = tags.flatMap((tag) => {
    const [, ofEpoch = '1', version] = versionedTag.exec(tag) ?? [];
    return version === undefined || Number(ofEpoch) !== epoch ? [] : [Number(version)];
  });
  return { epoch, versions };
}

/**
 * Reads If-Match for a route that takes it. @throws Problem `precondition_required` if the route requires it and it is missing; `bad_etag`.
 */
export function readIfMatch(
  { ifMatch: use }: Pick<Route, 'ifMatch'>,
  header: string | undefined,
  epoch: number,
): IfMatch | undefined {
  if (use === undefined) return undefined;
  const ifMatch = parseIfMatch(header, epoch);
  if (ifMatch === undefined && use === 'required') {
    throw problem('precondition_required', 'Send If-Match with the ETag that you read, or * to change any version.');
  }
  return ifMatch;
}

/** Whether the caller accepts a version; a caller without If-Match accepts any. */
export function accepts(ifMatch: IfMatch | undefined, version: number): boolean {
  return ifMatch === undefined || ifMatch.versions === 'any' || ifMatch.versions.includes(version);
}

/** @throws Problem `precondition_failed` unless the caller accepts this version. */
export function requireMatch(ifMatch: IfMatch | undefined, version: number): void {
  if (ifMatch === undefined || accepts(ifMatch, version)) return;
  throw problem('precondition_failed', 'Read the resource again and apply the change to its current version.', {
    headers: { ETag: versionTag(version, ifMatch.epoch) },
    members: { current: { version } },
  });
}

/** A version as a strong entity tag, for responses without a representation. Usable in If-Match, never equal to the tag of a representation. */
export function versionTag(version: number, epoch: number): string {
  return `"${epochPart(epoch)}${version}"`;
}

function epochPart(epoch: number): string {
  return epoch === 1 ? '' : `e${epoch}-`;
}

/**
 * The strong entity tag of a representation: `"<version>-<hash>"`, and `"e<epoch>-<version>-<hash>"` after epoch 1. The hash covers the whole text, including the resource's id and the names of other
 * people, so two resources never share a tag, and a changed name changes the tag although the version stays.
 */
export function representationTag({ version, epoch }: { version: number; epoch: number }, text: string): string {
  // SHA-1, because it is the fastest hash here (about 1 µs for a task) and a collision would affect only the caches of the user who created it
  return `"${epochPart(epoch)}${version}-${hash('sha1', text, 'base64url')}"`;
}

/**
 * The strong entity tag of the representation of a resource that has no version, `"<hash>"`. It changes exactly when the representation does, and
 * needs no epoch: a state that a restore brings back is the same representation again.
 */
export function contentTag(text: string): string {
  return `"${hash('sha1', text, 'base64url')}"`;
}

/** The entity tag that a handler's `etag` stands for. */
export function entityTag(etag: number | 'content', epoch: number, text: string): string {
  return etag === 'content' ? contentTag(text) : representationTag({ version: etag, epoch }, text);
}

/** Whether If-None-Match (RFC 9110 section 13.1.2, weak comparison) contains this tag. */
export function isNotModified(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false;
  const tags = header.split(',').map((each) => each.trim().replace(/^W\//, ''));
  return tags.includes('*') || tags.includes(tag);
}

/**
 * Parses Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): 1 to 255 visible ASCII characters, with or without the quotes of a
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
