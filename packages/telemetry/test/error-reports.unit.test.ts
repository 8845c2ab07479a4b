import http from 'node:http';
import { expect } from 'chai';
import { z } from 'zod';
import { startReceiver, waitFor, type Receiver } from '@taskwire/testing';
import { openTelemetry, withExtractedTrace, withLogContext, type Telemetry } from '../src/index.ts';
import { createReportLimit } from '../src/error-reports/report-limit.ts';

const trace = '0af7651916cd43dd8448eb211c80319c';

/** Personal data and secrets that errors quote in practice. */
const personal = [
  'ann@example.com',
  'Ann Miller',
  'eyJhbGciOi.eyJzdWIiOi.c2ln',
  'plum-kettle-orbit',
  'Water the plants',
];

const frame = z.strictObject({
  function: z.string().optional(),
  filename: z.string(),
  lineno: z.number(),
  colno: z.number(),
  in_app: z.boolean(),
});
/** Strict, so that any further field is a failure. */
const envelope = z.tuple([
  z.strictObject({
    event_id: z.string(),
    sent_at: z.string(),
    sdk: z.unknown(),
    trace: z.record(z.string(), z.string()),
  }),
  z.strictObject({ type: z.literal('event') }),
  z.strictObject({
    ...{ event_id: z.string(), timestamp: z.number(), level: z.string(), platform: z.string() },
    ...{ environment: z.string(), release: z.string(), message: z.string().optional() },
    tags: z.record(z.string(), z.string()),
    exception: z
      .strictObject({
        values: z.array(
          z.strictObject({
            ...{ type: z.string(), value: z.string() },
            stacktrace: z.strictObject({ frames: z.array(frame) }).optional(),
          }),
        ),
      })
      .optional(),
    contexts: z.strictObject({
      trace: z.strictObject({ trace_id: z.string(), span_id: z.string() }),
      runtime: z.strictObject({ name: z.string(), version: z.string() }),
    }),
    sdk: z.strictObject({ name: z.string(), version: z.string(), integrations: z.unknown(), packages: z.unknown() }),
  }),
]);
type Envelope = z.output<typeof envelope>;

function revealingError(): Error {
  const quoted = personal.join(' ');
  const cause = Object.assign(new Error(`duplicate key\n    at ${quoted} (file:///${quoted}:1:1)`), {
    ...{ code: '23505', detail: `Key (email)=(${quoted}) already exists.`, parameters: personal, where: quoted },
  });
  cause.name = 'DatabaseError';
  return Object.assign(new TypeError(`cannot greet ${quoted}`, { cause }), {
    ...{ body: quoted, headers: { authorization: quoted }, code: `not a code: ${quoted}` },
  });
}

describe('Error reports', () => {
  let receiver: Receiver;
  let telemetry: Telemetry;

  beforeEach(async () => {
    receiver = await startReceiver();
    telemetry = await open(receiver.url);
  });
  afterEach(async () => {
    await telemetry.shutdown();
    await receiver.stop();
  });

  async function open(url: string): Promise<Telemetry> {
    const dsn = `${url.replace('//', '//publickey@')}/42`;
    return await openTelemetry({
      ...{ service: 'tasks', release: '1.2.3', level: 'error', traces: undefined },
      sentry: { dsn, environment: 'staging' },
    });
  }

  /** The header, the header of the item and the event of each envelope. */
  function envelopes(): Envelope[] {
    return receiver.requests.map(({ body }) =>
      envelope.parse(
        body
          .toString()
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line)),
      ),
    );
  }

  async function outcomes(): Promise<Record<string, number>> {
    const values = (await telemetry.metrics.getSingleMetric('error_reports_total')?.get())?.values ?? [];
    return Object.fromEntries(values.map(({ labels, value }) => [String(labels['outcome']), value]));
  }

  async function report(error: unknown): Promise<void> {
    await withLogContext({ request_id: 'request-1', user_id: 'user-1' }, async () =>
      withExtractedTrace({ traceparent: `00-${trace}-b7ad6b7169203331-01` }, { name: 'request' }, async () =>
        telemetry.reportError({ kind: 'server_error', error, tags: { code: 'internal', route: '/api/v1/tasks/{id}' } }),
      ),
    );
  }

  it('consist of these fields, and nothing else leaves the process', async () => {
    await report(revealingError());
    await telemetry.shutdown();
    const [[header, , event]] = envelopes() as [Envelope];
    const { level, platform, environment, release, tags, contexts } = event;
    expect({ level, platform, environment, release, tags, contexts }).to.deep.equal({
      ...{ level: 'error', platform: 'node', environment: 'staging', release: 'taskwire@1.2.3' },
      tags: {
        service: 'tasks',
        kind: 'server_error',
        request_id: 'request-1',
        code: 'internal',
        route: '/api/v1/tasks/{id}',
      },
      contexts: {
        trace: { trace_id: trace, span_id: contexts.trace.span_id },
        runtime: { name: 'node', version: process.version },
      },
    });
    const { public_key: key, ...described } = header.trace;
    expect([key, described['trace_id']]).to.deep.equal(['publickey', trace]);
    const values = event.exception?.values ?? [];
    expect(values.map(({ type, value }) => [type, value])).to.deep.equal([
      ['DatabaseError', '23505'],
      ['TypeError', 'The message is in the log.'],
    ]);
    expect(values[1]?.stacktrace?.frames.at(-1)).to.include({
      function: 'revealingError',
      filename: 'app:///packages/telemetry/test/error-reports.unit.test.ts',
      in_app: true,
    });
    expect(receiver.requests[0]?.path).to.match(/^\/api\/42\/envelope\/\?.*sentry_key=publickey/);
  });

  it('contain no personal data of messages, stacks, causes and fields', async () => {
    await report(revealingError());
    await report(Object.assign(revealingError(), { message: 'another message' }));
    await report(personal.join(' '));
    await report({ email: personal });
    telemetry.reportError({ kind: 'dead_letter', tags: { code: personal.join(' '), event: personal[0] } });
    await telemetry.shutdown();
    expect(receiver.requests).to.have.length(5);
    const sent = receiver.requests
      .map(({ body, headers }) => `${JSON.stringify(headers)}${body.toString()}`)
      .join('\n');
    for (const text of [...personal, 'user-1', 'Miller']) expect(sent).not.to.include(text);
  });

  it('name an event without an error by its kind and its codes', async () => {
    telemetry.reportError({ kind: 'dead_letter', tags: { code: 'bad_schema', handler: 'notify', attempts: 1 } });
    await telemetry.shutdown();
    expect(envelopes()[0]?.[2]).to.include({ message: 'dead_letter bad_schema notify' });
  });

  it('are limited when the same error happens many times', async () => {
    for (let n = 0; n < 100; n++) await report(new Error('the database is away'));
    await telemetry.shutdown();
    expect(receiver.requests).to.have.length(5);
    expect(await outcomes()).to.deep.equal({ accepted: 5, refused: 0, failed: 0, limited: 95 });
  });

  for (const [what, answer] of [
    ['hangs', 'hang'],
    ['fails', { status: 500 }],
    ['limits reports', { status: 429, headers: { 'retry-after': '60' } }],
  ] as const) {
    it(`delay neither work nor the shutdown when the tracker ${what}`, async () => {
      receiver.answer(answer);
      const beganAt = performance.now();
      for (let n = 0; n < 5; n++) await report(new Error('one'));
      for (let n = 0; n < 50; n++) telemetry.reportError({ kind: 'dead_letter', tags: { code: `reason_${n}` } });
      // a tracker that hangs does so for longer than any of these limits, which leave room for a busy machine
      expect(performance.now() - beganAt).to.be.below(5_000);
      await waitFor(() => receiver.requests.length > 0);
      const stoppedAt = performance.now();
      await telemetry.shutdown();
      expect(performance.now() - stoppedAt).to.be.below(10_000);
      // each report is counted once, whatever happened to it
      await waitFor(async () => Object.values(await outcomes()).reduce((sum, count) => sum + count) === 55);
    });
  }

  it('are counted as failed when the tracker is down', async () => {
    await receiver.stop();
    await report(new Error('one'));
    await telemetry.shutdown();
    expect(await outcomes()).to.deep.equal({ accepted: 0, refused: 0, failed: 1, limited: 0 });
    receiver = await startReceiver();
  });

  it('are sent without changes to modules, the console or the handlers of the process', async () => {
    const state = () => [
      ...[http.request, http.get, globalThis.fetch, globalThis.console.log],
      ...['uncaughtException', 'unhandledRejection', 'warning'].map((name) => process.listenerCount(name)),
    ];
    const before = state();
    const another = await open(receiver.url);
    expect(state()).to.deep.equal(before);
    await another.shutdown();
  });
});

describe('The limit of error reports', () => {
  it('admits five alike and sixty in total per minute', () => {
    let now = 0;
    const admits = createReportLimit(() => now);
    expect(Array.from({ length: 7 }, () => admits('a'))).to.deep.equal([true, true, true, true, true, false, false]);
    const others = Array.from({ length: 100 }, (_, n) => admits(`other ${n}`));
    expect(others.filter(Boolean)).to.have.length(55);
    now = 60_000;
    expect(admits('a')).to.equal(true);
  });
});
