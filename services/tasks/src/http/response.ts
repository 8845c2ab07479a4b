import { RawJson } from '@taskwire/http-server';
import type { Document } from '../app/ports.ts';

/** Sends JSON text from the database as the response body, and the version as its ETag. */
export function respond<const S extends number, D extends Document>(
  status: S,
  { text, ...rest }: D,
): Omit<D, 'text'> & { status: S; body: RawJson } {
  return { ...rest, status, body: new RawJson(text) };
}
