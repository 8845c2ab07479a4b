import { Readable } from 'node:stream';

/**
 * Passes a message through in one piece, but holds back its end until `beforeEnd` resolves. An SMTP server can't accept a message before the end of
 * its data, so after any earlier failure, even the death of this process, no message has been sent. If `beforeEnd` rejects, the stream is destroyed
 * without an end.
 *
 * nodemailer creates a message as dozens of short pieces, and each would be a write to the socket. Nothing happens before the stream is read, and
 * nodemailer reads it only after the server's "354" response, not while it prepares the message.
 */
export function delayEndOfData(message: Readable, beforeEnd: () => Promise<void>): Readable {
  async function* held(): AsyncGenerator<Buffer> {
    const pieces: Buffer[] = [];
    for await (const piece of message) pieces.push(piece as Buffer);
    yield Buffer.concat(pieces);
    await beforeEnd();
  }
  return Readable.from(held(), { objectMode: false });
}
