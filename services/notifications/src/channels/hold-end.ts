import { Transform, type Readable } from 'node:stream';

/**
 * Lets a message through, but its end only after `beforeEnd`. An SMTP server may take a message no sooner than at the end of its data, so
 * whatever fails before, also the death of this process, leaves nothing behind. A rejection breaks the stream, without an end.
 *
 * The read buffer is the smallest there is: the end is reached only once somebody reads, which nodemailer does when the server has said
 * "354, go ahead", and not when the message is merely prepared.
 */
export function holdEnd(message: Readable, beforeEnd: () => Promise<void>): Readable {
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
