import type { ConsumeMessage } from 'amqplib';

/** A message as the broker delivered it, to be put into a queue again. */
export type RawMessage = { id: string; routingKey: string; content: Buffer; properties: ConsumeMessage['properties'] };
