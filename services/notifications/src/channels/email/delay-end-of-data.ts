import { Transform, type Readable } from 'node:stream';

/**
 * Passes a message through, but holds back its end until `beforeEnd` resolves. An SMTP server can't accept a message before the end of its data, so
 * after any earlier failure, even the death of this process, no message has been sent. If `beforeEnd` rejects, the stream is destroyed without an
 * end.
 *
 * The read buffer has the minimum size, so that the end is reached only when the stream is read. nodemailer reads the stream only after the server's
 * "354" response, not while it prepares the message.
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
