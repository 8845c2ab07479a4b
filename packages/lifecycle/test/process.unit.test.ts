import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import { createTelemetry } from '@taskwire/telemetry';
import { runProcess, type Component } from '../src/index.ts';

const quiet = createTelemetry({ service: 'test', stream: new PassThrough().resume() });

function recorded(log: string[], name: string, faults: { start?: Error; stop?: Error } = {}): Component {
  return {
    name,
    async start() {
      log.push(`start ${name}`);
      if (faults.start) throw faults.start;
    },
    async stop() {
      log.push(`stop ${name}`);
      if (faults.stop) throw faults.stop;
    },
  };
}

async function run(
  components: Component[],
  then?: (signals: EventEmitter) => void,
  shutdownTimeoutMs = 1000,
  telemetry: Parameters<typeof runProcess>[0]['telemetry'] = quiet,
): Promise<number> {
  const signals = new EventEmitter();
  return await new Promise((resolve) => {
    void runProcess({ components, telemetry, shutdownTimeoutMs, signals, exit: resolve }).then(() => then?.(signals));
  });
}

describe('a process', () => {
  it('starts its components in order and stops them in reverse order on SIGTERM', async () => {
    const log: string[] = [];
    const code = await run([recorded(log, 'a'), recorded(log, 'b')], (signals) => signals.emit('SIGTERM'));
    expect(log).to.deep.equal(['start a', 'start b', 'stop b', 'stop a']);
    expect(code).to.equal(0);
  });

  it('stops the started components when one cannot start, and exits with code 1', async () => {
    const log: string[] = [];
    const code = await run([recorded(log, 'a'), recorded(log, 'b', { start: new Error('no') }), recorded(log, 'c')]);
    expect(log).to.deep.equal(['start a', 'start b', 'stop b', 'stop a']);
    expect(code).to.equal(1);
  });

  it('stops the other components when one fails to stop', async () => {
    const log: string[] = [];
    const code = await run([recorded(log, 'a'), recorded(log, 'b', { stop: new Error('no') })], (signals) =>
      signals.emit('SIGINT'),
    );
    expect(log).to.include('stop a');
    expect(code).to.equal(1);
  });

  it('exits with code 1 when a component does not stop in time', async () => {
    const stuck: Component = { name: 'stuck', start: async () => undefined, stop: () => new Promise(() => undefined) };
    expect(await run([stuck], (signals) => signals.emit('SIGTERM'), 5)).to.equal(1);
  });

  it('stops all components and exits with code 1 after an uncaught error', async () => {
    const log: string[] = [];
    const code = await run([recorded(log, 'a')], (signals) => signals.emit('uncaughtException', new Error('lost')));
    expect(log).to.deep.equal(['start a', 'stop a']);
    expect(code).to.equal(1);
  });

  it('reports an uncaught error, and sends reports and spans after its components have stopped', async () => {
    const log: string[] = [];
    const lost = new Error('lost');
    const telemetry = {
      logger: quiet.logger,
      reportError: (report: unknown) =>
        log.push(JSON.stringify(report, (_key, value) => (value === lost ? 'lost' : value))),
      shutdown: async () => void log.push('telemetry'),
    };
    await run([recorded(log, 'a')], (signals) => signals.emit('unhandledRejection', lost), 1000, telemetry);
    const report = '{"kind":"uncaught","error":"lost","tags":{"code":"unhandledRejection"}}';
    expect(log).to.deep.equal(['start a', report, 'stop a', 'telemetry']);
  });
});
