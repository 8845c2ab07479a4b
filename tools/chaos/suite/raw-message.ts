import type { ConsumeMessage } from 'amqplib';

/** A message as delivered by the broker, which can be put into a queue again. */
export type RawMessage = { id: string; routingKey: string; content: Buffer; properties: ConsumeMessage['properties'] };
