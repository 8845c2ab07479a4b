import { subjectFields } from '@taskwire/contracts';
import { traceIdIn } from '@taskwire/telemetry';
import type { NamedHandler } from './handler.ts';
import { orderKey, type Message } from './message.ts';

/** A message for one handler. */
export type Job = {
  message: Message;
  handler: string;
  /** The key within which the handler keeps messages in order. */
  orderKey: string | undefined;
  /** Whether the message, if it becomes a dead letter, blocks later messages with its key. */
  blocksWhenDead: boolean;
};

/** A message without a handler: no handler matches its type, or it is not valid. */
export type UnhandledJob = { message: Message; handler: undefined; orderKey: undefined; blocksWhenDead: false };

export function jobFor(message: Message, handler: NamedHandler): Job {
  const key = orderKey(message, handler);
  const blocksWhenDead = handler.order === 'through_dead_letters' && key !== undefined;
  return { message, handler: handler.name, orderKey: key, blocksWhenDead };
}

export function unhandledJob(message: Message): UnhandledJob {
  return { message, handler: undefined, orderKey: undefined, blocksWhenDead: false };
}

/** Names a job in the log. */
export function describeJob({
  message,
  handler,
}: Pick<Job | UnhandledJob, 'message' | 'handler'>): Record<string, unknown> {
  const { id, type, aggregateId, correlationId, payload, headers } = message;
  const subject = subjectFields(type, aggregateId, () => payload.toString('utf8'));
  const cause = { request_id: correlationId, trace_id: traceIdIn(JSON.parse(headers) as Record<string, unknown>) };
  return { message_id: id, event: type, handler, ...subject, ...cause };
}
