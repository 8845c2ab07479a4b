import { expect } from 'chai';
import { done } from '@taskwire/inbox';
import { openTelemetry, withSpan, type Telemetry } from '@taskwire/telemetry';
import {
  recordEffect,
  spansOf,
  startReceiver,
  testEvent,
  testHandler,
  useInboxHarness,
  waitFor,
  type ReceivedSpan,
  type Receiver,
} from '@taskwire/testing';

const traceOf = (n: number) => String(n + 1).padStart(32, '0');

describe('The trace of a message', () => {
  const harness = useInboxHarness();
  let receiver: Receiver;
  let telemetry: Telemetry;

  beforeEach(async () => {
    receiver = await startReceiver();
    telemetry = await openTelemetry({
      ...{ service: 'test', release: '1.0.0', level: 'error', sentry: undefined },
      traces: {
        ...{ endpoint: receiver.url, headers: {}, encoding: 'http/json', resource: {} },
        // only the messages of the test are sampled
        ...{ sampler: 'parentbased_always_off', ratio: 0, maxQueuedSpans: 2_000 },
      },
    });
  });
  afterEach(async () => {
    await telemetry.shutdown();
    await receiver.stop();
  });

  /** The spans up to the end of the processing of this many messages, which follows their effects. */
  async function spansWith(processed: number): Promise<ReceivedSpan[]> {
    await waitFor(() => named(spansOf(receiver.requests), 'process').length === processed);
    await telemetry.shutdown();
    return spansOf(receiver.requests);
  }

  const named = (spans: ReceivedSpan[], name: string) => spans.filter((span) => span.name.startsWith(name));

  it('continues from its publish through its processing and handler to its effect', async () => {
    const decide = async () => {
      await withSpan({ name: 'a call' }, async () => undefined);
      return done(async (tx) => void (await tx.query({ name: 'test.effect', text: 'SELECT 1' })));
    };
    await harness.start([testHandler({ decide })]);
    const event = testEvent({ headers: { traceparent: `00-${traceOf(0)}-b7ad6b7169203331-01` } });
    await harness.publish(event);
    const spans = await spansWith(1);
    const [publish, process] = [named(spans, 'publish')[0], named(spans, 'process')[0]];
    const [handle, call, effect] = ['handle', 'a call', 'test.effect'].map((name) => named(spans, name)[0]);
    expect(spans.map(({ traceId }) => traceId)).to.deep.equal(spans.map(() => traceOf(0)));
    expect(publish).to.include({ kind: 'PRODUCER', parentSpanId: 'b7ad6b7169203331' });
    expect(process).to.include({ kind: 'CONSUMER', parentSpanId: publish?.spanId });
    expect(handle?.parentSpanId).to.equal(process?.spanId);
    expect(call?.parentSpanId).to.equal(handle?.spanId);
    expect(effect).to.include({ kind: 'CLIENT', parentSpanId: handle?.spanId });
    expect(process?.attributes).to.include({
      'messaging.system': 'rabbitmq',
      'messaging.operation.type': 'process',
      'messaging.message.id': event.messageId,
    });
    // a batch of one message is part of its trace
    expect(named(spans, 'inbox.look_up')).to.have.length(1);
    expect(named(spans, 'COMMIT')).to.have.length(1);
  });

  it('is linked from the batches in which messages are looked up and committed together', async () => {
    await harness.start([testHandler({ decide: recordEffect })]);
    await harness.consuming();
    // messages arrive while earlier ones are looked up and committed, however fast the database is
    harness.network.set({ kind: 'delay', ms: 25 });
    const events = Array.from({ length: 20 }, (_, n) =>
      testEvent({
        // messages of one aggregate are handled one after the other
        headers: { aggregate_id: `a${n}`, traceparent: `00-${traceOf(n)}-b7ad6b7169203331-01` },
      }),
    );
    await harness.publish(...events);
    const spans = await spansWith(events.length);
    const processed = new Map(named(spans, 'process').map((span) => [span.traceId, span.spanId]));
    expect(processed.size).to.equal(20);
    for (const name of ['look up messages', 'commit effects of messages']) {
      const batches = named(spans, name);
      expect(batches).not.to.deep.equal([]);
      for (const batch of batches) {
        expect(batch.links.length).to.be.above(1);
        expect(batch.parentSpanId).to.equal(undefined);
        expect(processed.has(batch.traceId)).to.equal(false);
        for (const { traceId } of batch.links) expect(processed.has(traceId)).to.equal(true);
        // the statements of a batch are its children, and not those of one of its messages
        expect(spans.some(({ parentSpanId }) => parentSpanId === batch.spanId)).to.equal(true);
      }
    }
  });
});
