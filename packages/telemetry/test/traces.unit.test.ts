import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { spansOf, startReceiver, waitFor, type Receiver } from '@taskwire/testing';
import {
  injectTrace,
  openExtractedTrace,
  openMessageSpan,
  openTelemetry,
  recordedSpan,
  SpanKind,
  traceId,
  withExtractedTrace,
  withLinkedSpan,
  withoutRecording,
  withSpan,
  type Telemetry,
} from '../src/index.ts';
import { createSpanQueue, type DropReason } from '../src/traces/span-queue.ts';

const sampledParent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const unsampledParent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00';

describe('Traces', () => {
  let receiver: Receiver;
  const opened: Telemetry[] = [];

  beforeEach(async () => {
    receiver = await startReceiver();
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((telemetry) => telemetry.shutdown()));
    await receiver.stop();
  });

  type Settings = NonNullable<Parameters<typeof openTelemetry>[0]['traces']>;

  async function open(more: Partial<Settings> = {}): Promise<Telemetry> {
    const telemetry = await openTelemetry({
      ...{ service: 'tasks', release: '1.2.3', level: 'error', sentry: undefined },
      traces: {
        ...{ endpoint: receiver.url, headers: { 'api-key': 'k' }, encoding: 'http/json', resource: { zone: 'z' } },
        ...{ sampler: 'parentbased_always_on', ratio: 1, maxQueuedSpans: 2_048 },
        ...more,
      },
    });
    opened.push(telemetry);
    return telemetry;
  }

  async function sent(telemetry: Telemetry) {
    await telemetry.shutdown();
    return spansOf(receiver.requests);
  }

  async function metric(telemetry: Telemetry, name: string): Promise<Record<string, number>> {
    const values = (await telemetry.metrics.getSingleMetric(name)?.get())?.values ?? [];
    return Object.fromEntries(values.map(({ labels, value }) => [String(labels['reason'] ?? 'all'), value]));
  }

  it('are sent to the receiver with names, kinds, attributes, parents and the resource', async () => {
    const telemetry = await open();
    await withExtractedTrace({ traceparent: sampledParent }, { name: 'outer', kind: SpanKind.CONSUMER }, async () => {
      await withSpan({ name: 'inner', kind: SpanKind.CLIENT, attributes: () => ({ n: 1 }) }, async () => undefined);
    });
    const [inner, outer] = await sent(telemetry);
    expect(outer).to.include({ name: 'outer', kind: 'CONSUMER', parentSpanId: 'b7ad6b7169203331' });
    expect(inner).to.include({ name: 'inner', kind: 'CLIENT', parentSpanId: outer?.spanId, traceId: outer?.traceId });
    expect(inner?.attributes).to.deep.equal({ n: 1 });
    expect(inner?.resource).to.include({
      'service.name': 'tasks',
      'service.namespace': 'taskwire',
      'service.version': '1.2.3',
      zone: 'z',
    });
    expect(receiver.requests[0]?.headers).to.include({ 'api-key': 'k', 'content-type': 'application/json' });
    expect(await metric(telemetry, 'trace_spans_exported_total')).to.deep.equal({ all: 2 });
  });

  it('are sent as protobuf if the settings say so', async () => {
    const telemetry = await open({ encoding: 'http/protobuf' });
    await withExtractedTrace({}, { name: 'a span with a name' }, async () => undefined);
    await telemetry.shutdown();
    expect(receiver.requests[0]?.headers['content-type']).to.equal('application/x-protobuf');
    expect(receiver.requests[0]?.body.includes('a span with a name')).to.equal(true);
  });

  it('contain the type of an error, and never its message', async () => {
    const telemetry = await open();
    const failing = withExtractedTrace({}, { name: 'fails' }, async () => {
      throw Object.assign(new Error('no user ann@example.com'), { code: '23505' });
    });
    await failing.catch(() => undefined);
    const [span] = await sent(telemetry);
    expect(span).to.deep.include({ status: { code: 2 }, attributes: { 'error.type': '23505' } });
    expect(receiver.requests[0]?.body.toString()).not.to.contain('ann@');
  });

  it("follow the caller's decision, and otherwise the ratio", async () => {
    const telemetry = await open({ sampler: 'parentbased_traceidratio', ratio: 0 });
    for (const carrier of [{}, { traceparent: unsampledParent }, { traceparent: sampledParent }]) {
      await withExtractedTrace(carrier, { name: carrier.traceparent ?? 'none' }, async () => {
        expect(injectTrace().traceparent?.slice(-2)).to.equal(carrier.traceparent === sampledParent ? '01' : '00');
        await withSpan({ name: 'child' }, async () => undefined);
      });
    }
    expect((await sent(telemetry)).map(({ name }) => name)).to.deep.equal(['child', sampledParent]);
  });

  it('start with the id of the request, if that is the id of a trace', async () => {
    await open();
    const id = 'c0ffee00c0ffee00c0ffee00c0ffee00';
    const started = (newTraceId: string) => {
      let found: string | undefined;
      openExtractedTrace({ carrier: {}, newTraceId }, { name: 'request' }, (span) => {
        found = traceId();
        span.end();
      });
      return found;
    };
    expect(started(id)).to.equal(id);
    expect(started('0'.repeat(32))).to.match(/^(?!0{32})[0-9a-f]{32}$/);
    expect(started('some other id')).to.match(/^[0-9a-f]{32}$/);
  });

  it('link the span of a batch to the spans of its parts', async () => {
    const telemetry = await open({ sampler: 'parentbased_traceidratio', ratio: 0 });
    const links = [undefined, ...(await Promise.all([span(), span()]))];
    await withLinkedSpan(
      links,
      { name: 'batch' },
      async () => await withSpan({ name: 'in it' }, async () => undefined),
    );
    await withLinkedSpan([undefined], { name: 'of unrecorded traces' }, async () => undefined);
    const spans = await sent(telemetry);
    const batch = spans.find(({ name }) => name === 'batch');
    expect(batch?.links.map(({ spanId }) => spanId)).to.deep.equal(links.flatMap((link) => link?.spanId ?? []));
    expect(batch?.parentSpanId).to.equal(undefined);
    expect(spans.find(({ name }) => name === 'in it')?.parentSpanId).to.equal(batch?.spanId);
    expect(spans).to.have.length(4);

    async function span() {
      return await withExtractedTrace({ traceparent: sampledParent }, { name: 'part' }, async () => recordedSpan());
    }
  });

  it('give a message its own span, which its recipients continue', async () => {
    const telemetry = await open();
    const opened = openMessageSpan({ traceparent: sampledParent }, { name: 'publish', kind: SpanKind.PRODUCER });
    opened?.span.end();
    const [span] = await sent(telemetry);
    expect(opened?.carrier.traceparent).to.equal(`00-${span?.traceId}-${span?.spanId}-01`);
    expect(span?.parentSpanId).to.equal('b7ad6b7169203331');
  });

  it('have no spans of probes', async () => {
    const telemetry = await open();
    withoutRecording(() => void withSpan({ name: 'statement' }, async () => undefined));
    expect(await sent(telemetry)).to.deep.equal([]);
  });

  it('are dropped and counted while the receiver hangs, and neither work nor the shutdown waits', async () => {
    receiver.answer('hang');
    const telemetry = await open({ maxQueuedSpans: 300 });
    const beganAt = performance.now();
    for (let n = 0; n < 1_000; n++) await withExtractedTrace({}, { name: 'work' }, async () => undefined);
    const workedFor = performance.now() - beganAt;
    await waitFor(() => receiver.requests.length > 0);
    expect((await metric(telemetry, 'trace_spans_dropped_total'))['queue_full']).to.equal(700);
    const stoppedAt = performance.now();
    await telemetry.shutdown();
    expect(workedFor).to.be.below(1_000);
    expect(performance.now() - stoppedAt).to.be.within(1_000, 2_500);
    expect(await metric(telemetry, 'trace_spans_dropped_total')).to.deep.equal({
      queue_full: 700,
      unavailable: 0,
      refused: 0,
      stopped: 300,
    });
  });

  it('are dropped and counted when the receiver refuses them', async () => {
    receiver.answer({ status: 400 });
    const telemetry = await open();
    await withExtractedTrace({}, { name: 'refused' }, async () => undefined);
    await telemetry.shutdown();
    expect((await metric(telemetry, 'trace_spans_dropped_total'))['refused']).to.equal(1);
    expect(receiver.requests).to.have.length(1);
  });
});

describe('The queue of spans', () => {
  type Span = Parameters<ReturnType<typeof createSpanQueue>['processor']['onEnd']>[0];
  const span = { spanContext: () => ({ traceFlags: 1 }) } as Span;
  const unavailable = { kind: 'unavailable', detail: 'down' } as const;

  function queueWith(results: Awaited<ReturnType<Parameters<typeof createSpanQueue>[0]['sender']['send']>>[]) {
    const counts: Record<DropReason | 'sent', number> = {
      sent: 0,
      queue_full: 0,
      unavailable: 0,
      refused: 0,
      stopped: 0,
    };
    const lines: string[] = [];
    const logger = { warn: (line: string) => lines.push(line), info: (line: string) => lines.push(line) };
    const queue = createSpanQueue({
      sender: {
        send: async () => results.shift() ?? { kind: 'accepted', rejected: 0 },
        close: async () => undefined,
      },
      maxSpans: 1_000,
      logger: logger as unknown as Telemetry['logger'],
      sent: (count) => (counts.sent += count),
      dropped: (reason, count) => (counts[reason] += count),
      retryPausesMs: [1, 1],
    });
    return { queue, counts, lines };
  }

  function fill(queue: ReturnType<typeof createSpanQueue>): void {
    for (let n = 0; n < 256; n++) queue.processor.onEnd(span);
  }

  it('sends a batch again while the receiver is unavailable, and logs each outage once', async () => {
    const { queue, counts, lines } = queueWith([unavailable, unavailable]);
    fill(queue);
    await waitFor(() => counts.sent === 256);
    await queue.stop();
    expect(lines).to.deep.equal(['spans cannot be sent; requests are not affected', 'spans are sent again']);
  });

  it('gives up a batch after the last attempt', async () => {
    const { queue, counts } = queueWith([unavailable, unavailable, unavailable]);
    fill(queue);
    await waitFor(() => counts.unavailable === 256);
    await queue.stop();
    expect(counts).to.deep.equal({ sent: 0, queue_full: 0, unavailable: 256, refused: 0, stopped: 0 });
  });

  it('counts the spans that the receiver rejects from a batch', async () => {
    const { queue, counts } = queueWith([{ kind: 'accepted', rejected: 6 }]);
    fill(queue);
    await queue.stop();
    expect(counts).to.include({ sent: 250, refused: 6 });
  });
});

describe('A process that sends neither traces nor error reports', () => {
  it('loads neither SDK', async () => {
    expect(await loadedModules({})).to.deep.equal([]);
    expect(await loadedModules({ traces: true, sentry: true })).to.deep.equal([
      '@opentelemetry/sdk-trace',
      '@sentry/node',
    ]);
  });
});

/** Opens the telemetry in a process of its own. @returns the SDKs that the process has loaded. */
async function loadedModules(settings: { traces?: boolean; sentry?: boolean }): Promise<string[]> {
  const program = fileURLToPath(new URL('support/loading-child.ts', import.meta.url));
  const child = fork(program, [JSON.stringify(settings)]);
  const [loaded] = await once(child, 'message');
  await once(child, 'close');
  return loaded;
}
