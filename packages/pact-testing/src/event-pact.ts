import { randomUUIDv7 } from 'node:crypto';
import type { MatchersV3, PactV4 } from '@pact-foundation/pact';
import type { ProvidedMessage } from './pacts.ts';

const exampleMessageId = '019a9d5e-5d6e-7f01-9a2b-3c4d5e6f7a8b';

/** A message for the publisher of @taskwire/rabbit. */
export type ExampleMessage = {
  messageId: string;
  routingKey: string;
  body: Buffer;
  headers: Record<string, string | number>;
  timestamp: number;
  appId: string;
};

export type EventExpectation = {
  pact: PactV4;
  is: typeof MatchersV3;
  type: string;
  /** Distinguishes this example from other examples of the same type, such as "by the system"; the provider finds it in the description. */
  variant?: string;
  /** The aggregate id of the event. */
  aggregateId: string;
  /** Matchers of the fields that the consumer reads. */
  payload: Readonly<Record<string, unknown>>;
  /** Handles the message as the consumer handles messages from the broker; rejects if required content is missing. */
  receive(message: ExampleMessage): Promise<void>;
};

/** Expects an event: its payload, and the AMQP properties and headers that an inbox reads. */
export async function expectEvent(expectation: EventExpectation): Promise<void> {
  const { pact, is, type, variant, aggregateId, payload, receive } = expectation;
  await pact
    .addAsynchronousInteraction()
    .expectsToReceive(`an event ${type}${variant === undefined ? '' : ` ${variant}`}`, (message) =>
      message
        .withMetadata({
          contentType: 'application/json',
          message_id: is.uuid(exampleMessageId),
          type,
          schema_version: '1',
          aggregate_id: is.uuid(aggregateId),
        })
        .withJSONContent(payload),
    )
    .executeTest(async ({ contents, metadata }) => {
      const text = (name: string) => String(metadata[name]);
      await receive({
        // each example has a different id, because an inbox accepts each id once
        messageId: randomUUIDv7(),
        routingKey: text('type'),
        body: Buffer.from(JSON.stringify(contents.content)),
        headers: { schema_version: Number(text('schema_version')), aggregate_id: text('aggregate_id') },
        timestamp: Math.floor(Date.now() / 1000),
        appId: type.split('.')[0] ?? '',
      });
    });
}

/** The parts of a delivered message that verification compares with an expectation. */
export function toProvidedMessage(delivery: {
  body: Buffer;
  headers: Record<string, unknown>;
  contentType: string | undefined;
  messageId: string | undefined;
  type: string | undefined;
}): ProvidedMessage {
  return {
    payload: JSON.parse(delivery.body.toString()),
    metadata: {
      contentType: String(delivery.contentType),
      message_id: String(delivery.messageId),
      type: String(delivery.type),
      schema_version: String(delivery.headers['schema_version']),
      aggregate_id: String(delivery.headers['aggregate_id']),
    },
  };
}
