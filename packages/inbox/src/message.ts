import type { Delivery } from '@taskwire/rabbit';
import type { NamedHandler } from './handler.ts';
import { provenanceOf, senderFault, type Provenance, type SenderRules } from './sender.ts';
import { storable } from './storable.ts';
import { instantOf, transitOf, type Transit } from './transit.ts';

/** A message in its stored form. Every field fits its column, regardless of the received value. */
export type Message = {
  /** As received; a lower-case UUID unless the message is invalid. */
  id: string | undefined;
  type: string;
  aggregateId: string | undefined;
  correlationId: string | undefined;
  appId: string | undefined;
  /** Seconds since the epoch. Undefined if the sent value is not a time between the years 1970 and 9999. */
  sentAt: number | undefined;
  /** How the message arrived. Undefined for messages stored by a version that did not record it; such messages have already been accepted. */
  provenance: Provenance | undefined;
  /** Undefined for a stored message, whose transit was recorded when it arrived. */
  transit: Transit | undefined;
  /** JSON text, including the provenance under a separate key. */
  headers: string;
  payload: Buffer;
};

/** Why a message cannot be handled. Codes are stable, because operators search by them. */
export type InvalidReason =
  | 'bad_message_id'
  | 'unknown_type'
  | 'wrong_sender'
  | 'unreadable_headers'
  | 'too_large'
  | 'unknown_schema_version'
  | 'no_aggregate_id'
  | 'not_json'
  | 'bad_schema';

export type Invalid = { kind: 'invalid'; reason: InvalidReason; error: string };

/** The versions of event payloads that this build can read. */
const schemaVersions: readonly unknown[] = [1];
/**
 * An index row (2,704 bytes at most) must have room for the key, at three bytes per character, and for a handler's name. Valid ids have 36
 * characters.
 */
const maxKeyLength = 500;
/** Several times the size that an outbox accepts (64 KiB). A dead letter of this size is still usable in psql. */
const maxPayloadBytes = 262_144;

/** Whether an id can be remembered. */
export function isMessageId(id: string | undefined): id is string {
  return id !== undefined && uuidPattern.test(id);
}

const uuidPattern = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

export function toMessage(delivery: Delivery): Message {
  const { messageId, headers, headersFault } = delivery;
  const aggregateId = headers['aggregate_id'];
  const provenance = provenanceOf(delivery);
  return {
    id: storable(isMessageId(messageId) ? messageId.toLowerCase() : messageId),
    type: storable(delivery.type ?? delivery.routingKey) ?? '',
    aggregateId: typeof aggregateId === 'string' ? storable(aggregateId, maxKeyLength) : undefined,
    correlationId: storable(delivery.correlationId),
    appId: storable(delivery.appId),
    sentAt: storableTime(delivery.timestamp),
    provenance,
    transit: transitOf(delivery),
    headers: encodeHeaders(headersFault === undefined ? headers : { unreadable: storable(headersFault) }, provenance),
    payload: delivery.body,
  };
}

/**
 * The header in which stored messages keep their provenance, which is checked again on replay. A header of this name in a received message is
 * overwritten.
 */
const provenanceHeader = 'x-taskwire-provenance';

/** Returns the provenance of a stored message from its headers. */
export function storedProvenance(headers: string): Provenance | undefined {
  return (JSON.parse(headers) as { [provenanceHeader]?: Provenance })[provenanceHeader];
}

/** Returns the `schema_version` header of a stored message as received. */
export function schemaVersionOf({ headers }: Message): unknown {
  return (JSON.parse(headers) as Record<string, unknown>)['schema_version'];
}

/** The greatest epoch that fits its columns. */
const maxEpoch = 2_147_483_647;

/** Returns the epoch of the publisher's database; 1 for a message without a valid one. */
export function sourceEpochOf({ headers }: Message): number {
  const { source_epoch: epoch } = JSON.parse(headers) as Record<string, unknown>;
  return typeof epoch === 'number' && Number.isInteger(epoch) && epoch >= 1 && epoch <= maxEpoch ? epoch : 1;
}

/**
 * Returns when the event of a message happened, in milliseconds since 1970. Without the publisher's exact time, this is the second that the message
 * names, which may be up to a second too early; undefined without either.
 */
export function happenedAt({ transit, headers, sentAt }: Message): number | undefined {
  const exact = transit?.createdAt ?? instantOf((JSON.parse(headers) as Record<string, unknown>)['created_at']);
  if (exact !== undefined) return Date.parse(exact);
  return sentAt === undefined ? undefined : sentAt * 1_000;
}

/** Checks a message independently of its handlers. Returns the fault, or undefined. */
export function checkMessage(
  message: Message,
  {
    schemaVersion,
    handlerCount,
    senders,
    headersFault,
  }: { schemaVersion: unknown; handlerCount: number; senders: SenderRules; headersFault?: string | undefined },
): Invalid | undefined {
  const { id, type, payload } = message;
  if (!isMessageId(id)) return invalid('bad_message_id', 'the message id is not a uuid');
  if (handlerCount === 0) return invalid('unknown_type', `no handler matches ${type}`);
  const { appId, provenance } = message;
  const fault = provenance && senderFault({ type, appId, provenance }, senders);
  if (fault !== undefined) return invalid('wrong_sender', fault);
  if (headersFault !== undefined) return invalid('unreadable_headers', headersFault);
  if (payload.length > maxPayloadBytes)
    return invalid('too_large', `the payload has ${payload.length} bytes, ${maxPayloadBytes} are allowed`);
  if (!schemaVersions.includes(schemaVersion))
    return invalid(
      'unknown_schema_version',
      `schema_version is ${JSON.stringify(schemaVersion)}, not one of ${schemaVersions.join(', ')}`,
    );
  return undefined;
}

/** Parses the event for a handler. */
export function readEvent(message: Message, handler: NamedHandler): { kind: 'valid'; event: unknown } | Invalid {
  if (handler.order !== 'none' && message.aggregateId === undefined)
    return invalid('no_aggregate_id', 'the header aggregate_id is missing, and the handler needs order');
  let json: unknown;
  try {
    json = JSON.parse(message.payload.toString('utf8'));
  } catch (error) {
    return invalid('not_json', String(error));
  }
  const result = handler.schema.safeParse(json);
  if (result.success) return { kind: 'valid', event: result.data };
  const issues = result.error.issues.map((issue) => `${issue.path.join('.') || 'payload'}: ${issue.message}`);
  return invalid('bad_schema', issues.join('; '));
}

/** Returns the key by which a handler keeps messages in order; undefined if the handler needs no order. */
export function orderKey(message: Message, handler: NamedHandler): string | undefined {
  return handler.order === 'none' ? undefined : message.aggregateId;
}

/**
 * Returns undefined for times that cannot be stored: a timestamp in microseconds or nanoseconds exceeds PostgreSQL's range, and one in milliseconds
 * exceeds the four-digit years of ISO 8601.
 */
function storableTime(seconds: number | undefined): number | undefined {
  return seconds !== undefined && seconds < 253_402_300_800 ? seconds : undefined;
}

function invalid(reason: InvalidReason, error: string): Invalid {
  return { kind: 'invalid', reason, error: storable(error) };
}

function encodeHeaders(headers: Record<string, unknown>, provenance: Provenance): string {
  const kept = { [provenanceHeader]: provenance };
  try {
    return JSON.stringify({ ...headers, ...kept }, (_name, value: unknown) =>
      typeof value === 'bigint' ? value.toString() : value,
    );
  } catch (error) {
    return JSON.stringify({ unreadable: String(error), ...kept });
  }
}
