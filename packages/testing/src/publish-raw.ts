/** A message with headers that a client library would not encode. */
type RawMessage = {
  exchange: string;
  routingKey: string;
  messageId: string;
  appId: string;
  body: Buffer;
  /** The number of levels of nested tables in the headers. A frame has room for about 20,000. */
  nestedHeaders: number;
};

/** Members of amqplib's channels that their types do not declare. */
type OpenChannel = { ch: number; connection: { sendBytes(bytes: Buffer): void } };

/**
 * Publishes persistently on an open amqplib channel, without a confirm: the response to the channel's next request arrives after the broker has
 * accepted the message.
 */
export function publishRaw(channel: object, message: RawMessage): void {
  const { ch, connection } = channel as OpenChannel;
  connection.sendBytes(messageFrames(ch, message));
}

/** The frames of a publish in AMQP 0-9-1. */
function messageFrames(channel: number, message: RawMessage): Buffer {
  const { exchange, routingKey, messageId, appId, body } = message;
  const method = Buffer.concat([shorts(60, 40, 0), shortString(exchange), shortString(routingKey), Buffer.from([0])]);
  // content type and encoding, headers, delivery mode, message id, type, application id
  const flags = 0x8000 | 0x4000 | 0x2000 | 0x1000 | 0x0080 | 0x0020 | 0x0008;
  const properties = [
    ...['application/json', 'utf-8'].map(shortString),
    nestedTables(message.nestedHeaders),
    Buffer.from([2]),
    ...[messageId, routingKey, appId].map(shortString),
  ];
  const size = Buffer.alloc(8);
  size.writeBigUInt64BE(BigInt(body.length));
  const header = Buffer.concat([shorts(60, 0), size, shorts(flags), ...properties]);
  return Buffer.concat([frame(1, channel, method), frame(2, channel, header), frame(3, channel, body)]);
}

/** Each level has one entry with an empty name, which contains the next level: six bytes plus that level. */
function nestedTables(levels: number): Buffer {
  const bytes = Buffer.alloc(4 + 6 * levels);
  bytes.writeUInt32BE(6 * levels);
  for (let level = 0; level < levels; level++) {
    const at = 4 + 6 * level;
    bytes.write('F', at + 1, 'latin1');
    bytes.writeUInt32BE(6 * (levels - level - 1), at + 2);
  }
  return bytes;
}

function frame(type: number, channel: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(7);
  head.writeUInt8(type);
  head.writeUInt16BE(channel, 1);
  head.writeUInt32BE(payload.length, 3);
  return Buffer.concat([head, payload, Buffer.from([0xce])]);
}

function shorts(...values: number[]): Buffer {
  const bytes = Buffer.alloc(2 * values.length);
  values.forEach((value, place) => bytes.writeUInt16BE(value, 2 * place));
  return bytes;
}

function shortString(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}
