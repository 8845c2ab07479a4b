import { Writable } from 'node:stream';
import { expect } from 'chai';
import { createTelemetry, injectTrace, redact, traceId, withExtractedTrace, withLogContext } from '../src/index.ts';

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

describe('A log line', () => {
  it('carries the service, the context of its work and the trace', async () => {
    const [line] = await lines(async ({ logger }) => {
      await withExtractedTrace({ traceparent: parent }, 'test', async () => {
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

  it('never holds a secret, neither by the name of a field nor inside of text', async () => {
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

  it('stays bounded whatever is logged', () => {
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    expect(JSON.stringify(redact(circular))).to.contain('[too deep]');
    expect(JSON.stringify(redact('x'.repeat(1_000_000))).length).to.be.below(9000);
  });
});

describe('Trace context', () => {
  it('goes on in what is sent, as a child of what was received', async () => {
    const sent = await withExtractedTrace({ traceparent: parent }, 'test', async () => injectTrace());
    expect(sent.traceparent).to.match(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
    expect(sent.traceparent).not.to.equal(parent);
  });

  it('starts anew when what was received is nonsense', async () => {
    const id = await withExtractedTrace({ traceparent: 'nonsense' }, 'test', async () => traceId());
    expect(id).to.match(/^[0-9a-f]{32}$/);
  });
});
