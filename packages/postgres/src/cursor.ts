import { problem } from '@taskwire/errors';
import type { z } from 'zod';

/** A list position as opaque text, safe in a URL. */
export function encodeCursor(position: unknown): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

/** The position that `encodeCursor` made. @throws Problem `bad_cursor` when the text is not one, or not one of this list. */
export function decodeCursor<S extends z.ZodType>(schema: S, cursor: string): z.infer<S> {
  try {
    return schema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
  } catch (cause) {
    throw problem(
      'bad_cursor',
      'Use a next_cursor as this list gave it, or leave it out to start from the beginning.',
      { cause },
    );
  }
}
