import { SpanKind, withExtractedTrace, withLogContext } from '@taskwire/telemetry';
import type { ClaimedDelivery } from '../app/delivery-log.ts';

/** Continues the trace of the request that caused the delivery, and adds the request's id to every log line of the attempt. */
export async function inContextOf<T>(
  { headers }: Pick<ClaimedDelivery, 'headers'>,
  channel: string,
  attempt: () => Promise<T>,
): Promise<T> {
  const { correlation_id: requestId, ...carrier } = headers ?? {};
  const fields = requestId === undefined ? {} : { request_id: requestId };
  const span = { name: `deliver ${channel}`, kind: SpanKind.CONSUMER };
  return await withLogContext(fields, () => withExtractedTrace(carrier, span, attempt));
}
