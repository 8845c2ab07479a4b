import { createHash } from 'node:crypto';
import { problem } from '@taskwire/errors';
import { z } from 'zod';

/** Identifies a list, so that a cursor can be tied to it. */
export type List = {
  /** The operation id. */
  name: string;
  /**
   * Everything that determines the contents and order of the list: filters, sorting, and the caller if the list depends on the caller. Excludes the
   * limit.
   */
  filter: Readonly<Record<string, unknown>>;
};

/** A position in a list: the sort keys of an item, as text. */
type Position = readonly string[];

/** Encodes positions in one list as opaque, URL-safe text. */
export type Cursors = {
  encode(position: Position): string;
  /**
   * Returns the position in a cursor, or undefined for the beginning of the list. @throws Problem `bad_cursor` for text that this list, with this
   * filter and order, did not return.
   */
  decode(cursor: string | undefined): Position | undefined;
};

/** An instant in the one format that the database produces, with microseconds: other values may exceed what PostgreSQL can read. */
const instant = z.iso.datetime().regex(/^(?!0000)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
/** A UUID as the database produces it. */
const id = z.guid();
/** The digits of a positive bigint. A number with 19 digits may exceed the range of bigint. */
const number = z.string().regex(/^\d{1,18}$/);

/** Any text that PostgreSQL can store and a list may return. */
const text = z
  .string()
  .min(1)
  .max(500)
  .regex(/^[^\0]*$/u);

/** The components of positions. A cursor is input, so each component is validated before the database reads it. */
const positions = {
  'instant and id': z.tuple([instant, id]),
  // the rows without an instant come last
  'instant or none, and id': z.tuple([z.union([instant, z.literal('')]), id]),
  'number and id': z.tuple([number, id]),
  // the rows without a key come last
  'key or none, and id': z.tuple([z.string().regex(/^[0-9A-Za-z]{0,64}$/), id]),
  id: id.transform((value) => [value]),
  number: number.transform((value) => [value]),
  text: text.transform((value) => [value]),
} as const;

/** The kind of a list's positions, determined by the columns that order the list. */
export type PositionKind = keyof typeof positions;

/** Creates the cursors of a list. */
export function listCursors(kind: PositionKind, { name, filter }: List): Cursors {
  const ownFingerprint = fingerprint({ name, filter });
  return {
    encode(position) {
      const [only, ...others] = position;
      return Buffer.from(JSON.stringify([ownFingerprint, others.length === 0 ? only : position])).toString('base64url');
    },
    decode(cursor) {
      if (cursor === undefined) return undefined;
      try {
        const [list, position] = z
          .tuple([z.string(), z.unknown()])
          .parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
        if (list !== ownFingerprint) throw new Error('the cursor belongs to another list');
        return positions[kind].parse(position);
      } catch (cause) {
        throw problem(
          'bad_cursor',
          'Use a next_cursor exactly as this list returned it, with the same filters and order, or omit it to start from the beginning.',
          { cause },
        );
      }
    },
  };
}

export type PageRequest = List & { positions: PositionKind; cursor: string | undefined; limit: number };

/** Reads the page after a position; `next` is the position of its last item, or undefined at the end. */
type ReadPage<T> = (place: {
  after: Position | undefined;
  limit: number;
}) => Promise<{ items: T[]; next: Position | undefined }>;

/** The body of a list's response. @throws Problem `bad_cursor`. */
export async function paged<T>(
  { positions: kind, cursor, limit, ...list }: PageRequest,
  read: ReadPage<T>,
): Promise<{ data: T[]; next_cursor: string | null }> {
  const cursors = listCursors(kind, list);
  const { items, next } = await read({ after: cursors.decode(cursor), limit });
  return { data: items, next_cursor: next === undefined ? null : cursors.encode(next) };
}

/** 48 bits distinguish lists. The cursor is not secret and protects nothing. */
function fingerprint({ name, filter }: List): string {
  const given = Object.entries(filter).filter(([, value]) => value !== undefined);
  const text = JSON.stringify([name, ...given.toSorted(([a], [b]) => (a < b ? -1 : 1))]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 8);
}
