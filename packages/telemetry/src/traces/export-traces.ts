import { resourceFromAttributes } from '@opentelemetry/resources';
import { TracerProvider } from '@opentelemetry/sdk-trace';
import { Counter } from 'prom-client';
import type { Telemetry } from '../telemetry.ts';
import { recordSpans, traceIds } from '../tracing.ts';
import { createOtlpSender } from './otlp-sender.ts';
import { createSampler } from './sampler.ts';
import type { TraceSettings } from './settings.ts';
import { createSpanQueue, dropReasons } from './span-queue.ts';

/** Attribute values are short by design; the limit protects against mistakes. */
const maxAttributeLength = 500;

/**
 * Records the spans of this process and sends them to the receiver of the settings. Counts them in `trace_spans_exported_total` and
 * `trace_spans_dropped_total`. This module loads OpenTelemetry's SDK, so it is imported only if spans are exported.
 * @returns a function that sends the remaining spans, within a time limit, and ends the recording.
 */
export function exportTraces(
  { service, release, metrics, logger }: Pick<Telemetry, 'service' | 'release' | 'metrics' | 'logger'>,
  settings: TraceSettings,
): () => Promise<void> {
  const exported = new Counter({
    name: 'trace_spans_exported_total',
    help: 'Spans that the receiver of traces has accepted.',
    registers: [metrics],
  });
  const droppedSpans = new Counter({
    name: 'trace_spans_dropped_total',
    help: 'Spans that were lost, by reason: queue_full, unavailable, refused, stopped.',
    labelNames: ['reason'],
    registers: [metrics],
  });
  for (const reason of dropReasons) droppedSpans.inc({ reason }, 0);
  const queue = createSpanQueue({
    sender: createOtlpSender(settings),
    maxSpans: settings.maxQueuedSpans,
    logger,
    sent: (count) => exported.inc(count),
    dropped: (reason, count) => droppedSpans.inc({ reason }, count),
  });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      ...settings.resource,
      'service.name': service,
      'service.namespace': 'taskwire',
      'service.version': release,
      'service.instance.id': traceIds.generateTraceId(),
    }),
    sampler: createSampler(settings),
    idGenerator: traceIds,
    spanLimits: { attributeValueLengthLimit: maxAttributeLength },
    spanProcessors: [queue.processor],
  });
  const endRecording = recordSpans(provider.getTracer('taskwire', release));
  return async () => {
    endRecording();
    await queue.stop();
  };
}
