import { Transform, type Readable } from 'node:stream';

/**
 * Passes a message through, but holds back its end until `beforeEnd` resolves. An SMTP server can't accept a message
 * before the end of its data, so any earlier failure, including the death of this process, leaves nothing behind. When
 * `beforeEnd` rejects, the stream breaks without an end.
 *
 * The read buffer has the minimum size, so that the end is reached only when the stream is read. nodemailer reads it
 * after the server's "354" response, not when the message is merely prepared.
 */
export function delayEndOfData(message: Readable, beforeEnd: () => Promise<void>): Readable {
  const held = new Transform({
    readableHighWaterMark: 1,
    transform: (chunk, _encoding, done) => done(null, chunk),
    flush: (done) => {
      beforeEnd().then(() => done(), done);
    },
  });
  message.once('error', (error) => held.destroy(error));
  return message.pipe(held);
}
