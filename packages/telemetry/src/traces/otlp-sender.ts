import { JsonTraceSerializer, ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { errorText } from '@taskwire/errors';
import { Agent, request } from 'undici';
import type { TraceSettings } from './settings.ts';

/** The result of sending a batch. `rejected` is the number of spans that the receiver did not accept. */
export type SendResult =
  | { kind: 'accepted'; rejected: number }
  /** The same batch may be accepted later. */
  | { kind: 'unavailable'; detail: string }
  /** A retry would change nothing. */
  | { kind: 'refused'; detail: string };

export type SpanSender = {
  /** Never rejects. Ends within `sendTimeoutMs`, however slow the receiver is. */
  send(spans: ReadableSpan[], signal: AbortSignal): Promise<SendResult>;
  close(): Promise<void>;
};

/** The default of OTEL_EXPORTER_OTLP_TIMEOUT, for the whole request. */
const sendTimeoutMs = 10_000;
const connectTimeoutMs = 2_000;
/** A response contains at most an error message. */
const maxResponseBytes = 65_536;
/** https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes */
const retryableStatuses = [429, 502, 503, 504];

const encodings = {
  'http/protobuf': { serializer: ProtobufTraceSerializer, contentType: 'application/x-protobuf' },
  'http/json': { serializer: JsonTraceSerializer, contentType: 'application/json' },
} as const;

/** Sends spans over OTLP/HTTP: https://opentelemetry.io/docs/specs/otlp/#otlphttp */
export function createOtlpSender(settings: Pick<TraceSettings, 'endpoint' | 'headers' | 'encoding'>): SpanSender {
  const url = `${settings.endpoint.replace(/\/+$/, '')}/v1/traces`;
  const { serializer, contentType } = encodings[settings.encoding];
  const agent = new Agent({
    connections: 1,
    connect: { timeout: connectTimeoutMs },
    headersTimeout: sendTimeoutMs,
    bodyTimeout: sendTimeoutMs,
    maxResponseSize: maxResponseBytes,
  });

  function rejectedOf(body: Uint8Array): number {
    try {
      return Number(serializer.deserializeResponse(body).partialSuccess?.rejectedSpans ?? 0);
    } catch {
      // the status says that the spans were accepted, and the body is optional
      return 0;
    }
  }

  return {
    async send(spans, signal) {
      try {
        const { statusCode, body } = await request(url, {
          dispatcher: agent,
          method: 'POST',
          headers: { ...settings.headers, 'content-type': contentType },
          body: serializer.serializeRequest(spans) ?? new Uint8Array(),
          signal: AbortSignal.any([signal, AbortSignal.timeout(sendTimeoutMs)]),
        });
        const answer = await body.bytes();
        if (statusCode < 300) return { kind: 'accepted', rejected: answer.length === 0 ? 0 : rejectedOf(answer) };
        const detail = `the receiver answered ${statusCode}`;
        return { kind: retryableStatuses.includes(statusCode) ? 'unavailable' : 'refused', detail };
      } catch (error) {
        return { kind: 'unavailable', detail: errorText(error) };
      }
    },
    close: async () => await agent.destroy(),
  };
}
