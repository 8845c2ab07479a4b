import { errorText } from '@taskwire/errors';
import type amqp from 'amqplib/callback_api';

/** The key of the reason in headers that could not be read. A symbol, because no publisher can send one. */
const unreadable = Symbol('why the headers could not be read');

type Headers = Record<string, unknown> & { [unreadable]?: string };
type Frame = { fields?: { headers?: Headers } };
/** The part of amqplib's connection that reads frames. `rest` is the received bytes that have not been read yet. */
type FrameReader = { rest: Buffer; recvFrame(): Frame | false };

/** Our own headers are flat; those that the broker adds to a dead letter have four levels. */
const deepest = 16;

/**
 * Makes a connection survive a message whose headers amqplib cannot decode. The headers may be nested so deeply that amqplib's recursion overflows
 * the stack (a few thousand levels; a frame has room for 20,000), or contain an unknown type. amqplib would close the connection, with all its
 * consumers, and would do so again each time the broker redelivers the message, in any queue that it reaches. Instead, the message is delivered
 * without its headers.
 */
export function tolerateUnreadableHeaders(connection: amqp.Connection): void {
  const reader = connection.connection as unknown as FrameReader;
  const receive = reader.recvFrame.bind(reader);
  // amqplib looks up the method for each frame, and again for each part of a frame that arrives in pieces
  reader.recvFrame = () => {
    const bytes = reader.rest;
    try {
      return receive();
    } catch (error) {
      const readable = withoutHeaders(bytes);
      if (readable === undefined) throw error;
      reader.rest = readable;
      const frame = receive();
      if (frame !== false && frame.fields !== undefined) frame.fields.headers = { [unreadable]: errorText(error) };
      return frame;
    }
  };
}

/** Returns why headers cannot be used; undefined if they can. */
export function headersFault(headers: Headers): string | undefined {
  if (headers[unreadable] !== undefined) return headers[unreadable];
  return isDeeper(headers, deepest) ? `they are nested more than ${deepest} levels deep` : undefined;
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1));
}

// AMQP 0-9-1, sections 2.3.5 and 2.3.5.2. A frame consists of type, channel, size, payload and end. The payload of a content header consists of
// class, weight, body size, property flags, and the properties in the order of their flags.
const frameHeaderBytes = 7;
const contentHeader = 2;
const frameEnd = 0xce;
const flagsAt = 12;
const flags = { contentType: 0x8000, contentEncoding: 0x4000, headers: 0x2000 };

/** Returns the bytes with the headers removed from the first frame, if that is a complete content header with headers; undefined otherwise. */
function withoutHeaders(bytes: Buffer): Buffer | undefined {
  if (bytes.length <= frameHeaderBytes || bytes[0] !== contentHeader) return undefined;
  const end = frameHeaderBytes + bytes.readUInt32BE(3);
  if (bytes[end] !== frameEnd) return undefined;
  const payload = bytes.subarray(frameHeaderBytes, end);
  const present = payload.readUInt16BE(flagsAt);
  if ((present & flags.headers) === 0) return undefined;
  let at = flagsAt + 2;
  for (const flag of [flags.contentType, flags.contentEncoding]) if (present & flag) at += 1 + payload.readUInt8(at);
  const after = at + 4 + payload.readUInt32BE(at);
  if (after > payload.length) return undefined;

  const kept = Buffer.concat([payload.subarray(0, at), payload.subarray(after)]);
  kept.writeUInt16BE(present & ~flags.headers, flagsAt);
  const head = Buffer.from(bytes.subarray(0, frameHeaderBytes));
  head.writeUInt32BE(kept.length, 3);
  return Buffer.concat([head, kept, bytes.subarray(end)]);
}
