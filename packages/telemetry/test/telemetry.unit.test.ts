import { Writable } from 'node:stream';
import { expect } from 'chai';
import {
  addLogTask,
  createTelemetry,
  injectTrace,
  redact,
  traceId,
  withExtractedTrace,
  withLogContext,
} from '../src/index.ts';

const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

async function lines(
  fn: (telemetry: ReturnType<typeof createTelemetry>) => Promise<void>,
): Promise<Record<string, unknown>[]> {
  const chunks: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      chunks.push(String(chunk));
      done();
    },
  });
  const telemetry = createTelemetry({ service: 'tasks', stream });
  await fn(telemetry);
  await telemetry.shutdown();
  return chunks
    .join('')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

describe('a log line', () => {
  it('contains the service, the context of the current work and the trace id', async () => {
    const [line] = await lines(async ({ logger }) => {
      await withExtractedTrace({ traceparent: parent }, { name: 'test' }, async () => {
        await withLogContext({ request_id: 'r-1', user_id: 'u-1' }, async () => {
          await Promise.resolve();
          logger.info('created', { task_id: 't-1' });
        });
      });
    });
    expect(line).to.include({
      service: 'tasks',
      level: 'info',
      message: 'created',
      request_id: 'r-1',
      user_id: 'u-1',
      task_id: 't-1',
    });
    expect(line?.['trace_id']).to.equal('0af7651916cd43dd8448eb211c80319c');
  });

  it('has its own value of a field that the current work has too, unless its value is undefined', async () => {
    const own = { task_id: 't-2', user_id: null, message_id: undefined, trace_id: undefined };
    const [line] = await lines(async ({ logger }) => {
      await withExtractedTrace({ traceparent: parent }, { name: 'test' }, async () => {
        withLogContext({ request_id: 'r-1', task_id: 't-1', user_id: 'u-1', message_id: 'm-1' }, () =>
          logger.info('changed another task', own),
        );
      });
    });
    const trace_id = '0af7651916cd43dd8448eb211c80319c';
    expect(line).to.include({ request_id: 'r-1', task_id: 't-2', user_id: null, message_id: 'm-1', trace_id });
  });

  it('names each of the tasks that its work is about once', async () => {
    const [line] = await lines(async ({ logger }) => {
      withLogContext({ request_id: 'r-1' }, () => {
        for (const id of ['t-1', 't-2', 't-1']) addLogTask(id);
        logger.info('request');
      });
    });
    expect(line?.['task_ids']).to.deep.equal(['t-1', 't-2']);
  });

  it('contains no secret, neither under a field name nor inside text', async () => {
    const [line] = await lines(async ({ logger }) => {
      const error = new Error('cannot reach amqp://tasks:hunter2@host/');
      logger.warn('login with Bearer abcdefghijkl', {
        password: 'hunter2',
        nested: { refreshToken: 'hunter2' },
        error,
      });
    });
    expect(JSON.stringify(line)).not.to.match(/hunter2|abcdefghijkl/);
    expect(JSON.stringify(line)).to.contain('cannot reach amqp://tasks:[redacted]@host/');
  });

  it('is written if its level is enabled', async () => {
    const written = await lines(async ({ logger }) => {
      logger.debug('a detail');
      logger.log('debug', 'another detail', { n: 1 });
      logger.log('info', 'news', { n: 1 });
    });
    expect(written.map(({ message }) => message)).to.deep.equal(['news']);
  });

  it('has a bounded size, whatever is logged', () => {
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    expect(JSON.stringify(redact(circular))).to.contain('[too deep]');
    expect(JSON.stringify(redact('x'.repeat(1_000_000))).length).to.be.below(9000);
  });
});

describe('trace context', () => {
  it('continues in sent headers, as a child of the received trace', async () => {
    const sent = await withExtractedTrace({ traceparent: parent }, { name: 'test' }, async () => injectTrace());
    expect(sent.traceparent).to.match(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
    expect(sent.traceparent).not.to.equal(parent);
  });

  it('starts a new trace when the received header is invalid', async () => {
    const id = await withExtractedTrace({ traceparent: 'nonsense' }, { name: 'test' }, async () => traceId());
    expect(id).to.match(/^[0-9a-f]{32}$/);
  });
});
