import { createHash } from 'node:crypto';
import { problem } from '@taskwire/errors';
import { z } from 'zod';

/** The identity of a list for its cursors. */
export type List = {
  /** The operation id. */
  name: string;
  /** Everything that determines the contents and order of the list: filters, sorting, and the caller if the list is theirs. Not the limit. */
  filter: Readonly<Record<string, unknown>>;
};

/** Encodes positions in one list as opaque, URL-safe text. */
export type Cursors<P> = {
  encode(position: P): string;
  /** Returns undefined at the beginning. @throws Problem `bad_cursor` for text that this list, with this filter and order, did not return. */
  decode(cursor: string | undefined): P | undefined;
};

/** Creates the cursors of a list whose positions match `schema`. */
export function listCursors<S extends z.ZodType>(schema: S, { name, filter }: List): Cursors<z.output<S>> {
  const of = fingerprint({ name, filter });
  return {
    encode: (position) => Buffer.from(JSON.stringify([of, position])).toString('base64url'),
    decode(cursor) {
      if (cursor === undefined) return undefined;
      try {
        const [list, position] = z
          .tuple([z.string(), z.unknown()])
          .parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
        if (list !== of) throw new Error('the cursor is of another list');
        return schema.parse(position);
      } catch (cause) {
        throw problem(
          'bad_cursor',
          'Use a next_cursor as this list gave it, with the same filters and order, or leave it out to start from the beginning.',
          { cause },
        );
      }
    },
  };
}

/** An instant in a position, in the one format that `isoMicros` produces: other values may exceed what PostgreSQL can read. */
export const cursorInstant = z.iso.datetime().regex(/^(?!0000)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);

/** 48 bits distinguish lists. The cursor is not secret and protects nothing. */
function fingerprint({ name, filter }: List): string {
  const given = Object.entries(filter).filter(([, value]) => value !== undefined);
  const text = JSON.stringify([name, ...given.toSorted(([a], [b]) => (a < b ? -1 : 1))]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 8);
}
