import { z } from 'zod';
import type { ReceivedRequest } from './receiver.ts';

const attributes = z
  .array(z.object({ key: z.string(), value: z.record(z.string(), z.unknown()) }))
  .default([])
  .transform((pairs) => Object.fromEntries(pairs.map(({ key, value }) => [key, Object.values(value)[0]])));

/** OTLP's numbers of kinds: https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto */
const kinds = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'] as const;

const traceRequest = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes }),
      scopeSpans: z.array(
        z.object({
          spans: z.array(
            z.object({
              traceId: z.string(),
              spanId: z.string(),
              parentSpanId: z.string().optional(),
              name: z.string(),
              kind: z.number().transform((number) => kinds[number] ?? 'UNSPECIFIED'),
              attributes,
              links: z.array(z.object({ traceId: z.string(), spanId: z.string() })).default([]),
              status: z.object({ code: z.number().default(0) }).default({ code: 0 }),
              startTimeUnixNano: z.coerce.bigint(),
              endTimeUnixNano: z.coerce.bigint(),
            }),
          ),
        }),
      ),
    }),
  ),
});

/** A span as a receiver of OTLP gets it. */
export type ReceivedSpan = z.output<
  typeof traceRequest
>['resourceSpans'][number]['scopeSpans'][number]['spans'][number] & {
  service: string;
  resource: Record<string, unknown>;
};

/** The spans in requests of OTLP in JSON, in the order of their arrival. */
export function spansOf(requests: readonly ReceivedRequest[]): ReceivedSpan[] {
  return requests
    .filter(({ path }) => path === '/v1/traces')
    .map(({ body }) => traceRequest.parse(JSON.parse(body.toString('utf8'))))
    .flatMap(({ resourceSpans }) => resourceSpans)
    .flatMap(({ resource, scopeSpans }) =>
      scopeSpans
        .flatMap(({ spans }) => spans)
        .map((span) => ({
          ...span,
          service: String(resource.attributes['service.name']),
          resource: resource.attributes,
        })),
    );
}
