import { problem } from '@taskwire/errors';
import { z } from 'zod';
import type { FeedName, Position } from '../app/sync/ports.ts';

/** A number that PostgreSQL reads as a bigint and JavaScript keeps exactly. */
const number = z.int().min(0);

/** A token is input, so each part is validated. The first part is the form, so that a later release may have another one. */
const parts = z.tuple([
  z.literal(1),
  z.enum(['tasks', 'people']),
  z.guid(),
  number,
  z.string(),
  number,
  number,
  z.iso.datetime(),
  z.tuple([z.guid(), z.guid().nullable(), number]).nullable(),
]);

/** The token of a position in a feed. It is bound to its reader, and opaque, but not secret: it only says where the reader is. */
export function encodeToken(feed: FeedName, readerId: string, position: Position): string {
  const { epoch, role, after, floor, since, refill } = position;
  const rest: z.output<typeof parts>[8] = refill ? [refill.projectId, refill.afterId, refill.upTo] : null;
  const token: z.output<typeof parts> = [1, feed, readerId, epoch, role, after, floor, since, rest];
  return Buffer.from(JSON.stringify(token)).toString('base64url');
}

/** The position of a token; undefined without one. @throws Problem `bad_cursor` for text that this feed did not return to this reader. */
export function decodeToken(feed: FeedName, readerId: string, token: string | undefined): Position | undefined {
  if (token === undefined) return undefined;
  try {
    const [, ofFeed, ofReader, epoch, role, after, floor, since, rest] = parts.parse(
      JSON.parse(Buffer.from(token, 'base64url').toString('utf8')),
    );
    if (ofFeed !== feed || ofReader !== readerId) throw new Error('the token belongs to another feed or reader');
    if (rest === null) return { epoch, role, after, floor, since };
    const [projectId, afterId, upTo] = rest;
    return { epoch, role, after, floor, since, refill: { projectId, afterId, upTo } };
  } catch (cause) {
    throw problem(
      'bad_cursor',
      'Use a next_token exactly as this feed returned it to the same user, or omit it to start from the beginning.',
      { cause },
    );
  }
}
