import { eventExchange, events, eventSchemaVersion, type EventType } from '../src/events/events.ts';
import { exampleOf } from './example.ts';
import { outputSchema, type JsonSchema } from './json-schema.ts';

type Json = { [key: string]: unknown };

/** The types of all events, sorted. */
export const eventTypes = (Object.keys(events) as EventType[]).sort();

/** The self-contained JSON Schema of an event's payload. */
export function eventSchema(type: EventType): JsonSchema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: `urn:taskwire:event:${type}:${eventSchemaVersion}`,
    title: type,
    ...outputSchema(events[type]),
    examples: [exampleOf(outputSchema(events[type]))],
  };
}

const headers: JsonSchema = {
  type: 'object',
  properties: {
    traceparent: { type: 'string', description: 'W3C trace context of the change' },
    tracestate: { type: 'string' },
    schema_version: { type: 'integer', const: eventSchemaVersion, description: 'the version of the payload schema' },
    source_epoch: {
      type: 'integer',
      minimum: 2,
      description: "the epoch of the publisher's database, which a restore raises; 1 if absent. Copies compare (epoch, version)",
    },
    aggregate_id: { type: 'string', format: 'uuid', description: 'the subject of the event; events of one aggregate are delivered in order' },
    created_at: { type: 'string', format: 'date-time', description: 'when the event was stored, to the microsecond' },
    published_at: { type: 'string', format: 'date-time', description: "when this copy was published; both times come from the clock of the publisher's database" },
  },
  required: ['schema_version', 'aggregate_id'],
};

const properties = `AMQP properties of every message:

| property | value |
|---|---|
| message_id | UUID, generated with the change; identical in every copy of the message |
| type | the routing key |
| timestamp | the time of the change, in seconds |
| app_id | the publishing service: the first word of the routing key |
| user_id | the broker login of the publisher, verified by the broker; absent in deployments without a login for each service |
| content_type | application/json |
| correlation_id | the request that caused the event, if any |
| delivery_mode | 2 (persistent) |

A message may be delivered more than once, and late: deduplicate by \`message_id\`. Fields may be added to payloads and headers within a schema version.`;

/** An AsyncAPI 3 document of all events: one topic exchange, and one channel for each routing key. */
export function asyncApiDocument(): Json {
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Taskwire events',
      // raised with every change that breaks a consumer
      version: '1.1.0',
      description: `Events, published to the topic exchange \`${eventExchange}\` after their change is committed.\n\n${properties}`,
      license: { name: 'MIT' },
    },
    defaultContentType: 'application/json',
    channels: Object.fromEntries(eventTypes.map((type) => [type, channel(type)])),
    operations: Object.fromEntries(eventTypes.map((type) => [`publish.${type}`, operation(type)])),
    components: {
      schemas: {
        ...Object.fromEntries(eventTypes.map((type) => [type, outputSchema(events[type])])),
        headers,
      },
      messages: Object.fromEntries(eventTypes.map((type) => [type, message(type)])),
    },
  };
}

function channel(type: EventType): Json {
  return {
    address: type,
    messages: { [type]: { $ref: `#/components/messages/${type}` } },
    bindings: {
      amqp: {
        is: 'routingKey',
        exchange: { name: eventExchange, type: 'topic', durable: true, autoDelete: false },
        bindingVersion: '0.3.0',
      },
    },
  };
}

function operation(type: EventType): Json {
  const [service = ''] = type.split('.');
  return {
    action: 'send',
    channel: { $ref: `#/channels/${type}` },
    summary: events[type].description,
    tags: [{ name: service }],
    messages: [{ $ref: `#/channels/${type}/messages/${type}` }],
    bindings: { amqp: { deliveryMode: 2, mandatory: true, timestamp: true, bindingVersion: '0.3.0' } },
  };
}

function message(type: EventType): Json {
  return {
    name: type,
    title: type,
    summary: events[type].description,
    contentType: 'application/json',
    headers: { $ref: '#/components/schemas/headers' },
    payload: { $ref: `#/components/schemas/${type}` },
    bindings: { amqp: { messageType: type, bindingVersion: '0.3.0' } },
    examples: [{ headers: exampleOf(headers), payload: exampleOf(outputSchema(events[type])) }],
  };
}
