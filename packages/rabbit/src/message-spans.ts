import { openMessageSpan, SpanKind, type Span, type TraceCarrier } from '@taskwire/telemetry';

// https://opentelemetry.io/docs/specs/semconv/messaging/rabbitmq/

/** The parts of a message that its spans describe. */
type Message = {
  routingKey: string;
  body: Buffer;
  messageId: string | undefined;
  correlationId?: string | undefined;
};

/** The span of a message from the request to publish it until its confirm, and the message with that span as its creator. */
export function publishSpan<M extends Message & { headers: Record<string, string | number> }>(
  exchange: string,
  message: M,
): { span: Span; message: M } | undefined {
  const { routingKey, messageId, correlationId, body, headers } = message;
  const destination = `${exchange}:${routingKey}`;
  const opened = openMessageSpan(carrierOf(headers), {
    name: `publish ${destination}`,
    kind: SpanKind.PRODUCER,
    attributes: () => ({
      'messaging.system': 'rabbitmq',
      'messaging.operation.name': 'publish',
      'messaging.operation.type': 'send',
      'messaging.destination.name': destination,
      'messaging.rabbitmq.destination.routing_key': routingKey,
      'messaging.message.body.size': body.length,
      ...idsOf(messageId, correlationId),
    }),
  });
  if (opened === undefined) return undefined;
  const { traceparent, tracestate } = opened.carrier;
  const carried = {
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(tracestate === undefined ? {} : { tracestate }),
  };
  return { span: opened.span, message: { ...message, headers: { ...headers, ...carried } } };
}

/** The description of the span in which a delivered message is processed, until it can be acknowledged. */
export function processSpan(queue: string, delivery: Message & { exchange: string }) {
  const { exchange, routingKey, messageId, correlationId, body } = delivery;
  const destination = [exchange, routingKey, queue].filter(
    (part, index, all) => part !== '' && all.indexOf(part) === index,
  );
  return {
    name: `process ${queue}`,
    kind: SpanKind.CONSUMER,
    attributes: () => ({
      'messaging.system': 'rabbitmq',
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.destination.name': destination.join(':'),
      'messaging.rabbitmq.destination.routing_key': routingKey,
      'messaging.message.body.size': body.length,
      ...idsOf(messageId, correlationId),
    }),
  };
}

/** The trace context in the headers of a message. */
export function carrierOf({ traceparent, tracestate }: Readonly<Record<string, unknown>>): TraceCarrier {
  return { traceparent: textOf(traceparent), tracestate: textOf(tracestate) };
}

/** The sender chooses the ids, so a value that is not an id is left out. */
function idsOf(messageId: string | undefined, correlationId: string | undefined): Record<string, string> {
  return {
    ...(isId(messageId) ? { 'messaging.message.id': messageId } : {}),
    ...(isId(correlationId) ? { 'messaging.message.conversation_id': correlationId } : {}),
  };
}

function isId(text: string | undefined): text is string {
  return text !== undefined && /^[\w.:-]{1,64}$/.test(text);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
