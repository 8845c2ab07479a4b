import { createHash } from 'node:crypto';
import { problem } from '@taskwire/errors';
import { z } from 'zod';

/** A list as its cursors know it. */
export type List = {
  /** The operation. */
  name: string;
  /** Everything that decides what is in the list and in which order: filters, sorting, the caller where the list is theirs. Not the limit. */
  filter: Readonly<Record<string, unknown>>;
};

/** The positions of one list as opaque text, safe in a URL. */
export type Cursors<P> = {
  encode(position: P): string;
  /** Undefined at the beginning. @throws Problem `bad_cursor` for text that this list did not give, with this filter and order. */
  decode(cursor: string | undefined): P | undefined;
};

/** Makes the cursors of a list whose positions have this shape. */
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

/** An instant in a position, in the one form that `isoMicros` gives: anything else may be more than PostgreSQL reads. */
export const cursorInstant = z.iso.datetime().regex(/^(?!0000)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);

/** 48 bits tell lists apart; the cursor is no secret and protects nothing. */
function fingerprint({ name, filter }: List): string {
  const given = Object.entries(filter).filter(([, value]) => value !== undefined);
  const text = JSON.stringify([name, ...given.toSorted(([a], [b]) => (a < b ? -1 : 1))]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 8);
}
