import { Writable } from 'node:stream';

/** A stream that discards its input. */
export function silent(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}
