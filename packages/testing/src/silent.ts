import { Writable } from 'node:stream';

/** A stream that forgets what is written to it. */
export function silent(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}
