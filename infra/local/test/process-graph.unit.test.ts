import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { layersFromTop, startGraph, type Node } from '../process-graph.ts';
import { fakeProcess } from './fake-process.ts';

describe('The graph of processes', () => {
  const options = { restarts: 'manual' as const, onEvent: () => undefined, onProgress: () => undefined };

  function recorded(events: string[]) {
    const server = (name: string, ...after: string[]): Node => ({
      name,
      after,
      start: () => {
        events.push(`${name} starts`);
        return Promise.resolve(fakeProcess(name, events));
      },
    });
    const step = (name: string, ...after: string[]): Node => ({
      name,
      after,
      run: () => {
        events.push(`${name} runs`);
        return Promise.resolve();
      },
    });
    return { server, step };
  }

  it('starts each process once its dependencies are ready', async () => {
    const events: string[] = [];
    const { server, step } = recorded(events);
    await startGraph(
      [server('database'), server('broker'), step('migrations', 'database'), server('service', 'migrations', 'broker')],
      options,
    );
    expect(events).to.deep.equal(['database starts', 'broker starts', 'migrations runs', 'service starts']);
  });

  it('stops a process only after those that depend on it', async () => {
    const events: string[] = [];
    const { server, step } = recorded(events);
    const graph = await startGraph(
      [server('database'), step('migrations', 'database'), server('service', 'migrations')],
      options,
    );
    events.length = 0;
    await graph.stop();
    expect(events).to.deep.equal(['service stops', 'database stops']);
  });

  it('stops the started processes and starts no others when one fails', async () => {
    const events: string[] = [];
    const { server } = recorded(events);
    const failing: Node = { name: 'broker', after: ['database'], start: () => Promise.reject(new Error('no broker')) };
    const error = await startGraph([server('database'), failing, server('service', 'broker')], options).catch(
      (thrown: unknown) => thrown,
    );
    await turn();
    expect(String(error)).to.include('no broker');
    expect(events).to.deep.equal(['database starts', 'database stops']);
  });

  it('stops the started processes when it is interrupted', async () => {
    const events: string[] = [];
    const { server } = recorded(events);
    const interrupt = new AbortController();
    const slow: Node = {
      name: 'broker',
      after: ['database'],
      run: () => new Promise((resolve) => interrupt.signal.addEventListener('abort', () => resolve())),
    };
    const starting = startGraph([server('database'), slow, server('service', 'broker')], {
      ...options,
      signal: interrupt.signal,
    });
    await turn();
    interrupt.abort();
    const error = await starting.catch((thrown: unknown) => thrown);
    expect(String(error)).to.include('interrupted');
    expect(events.filter((event) => event !== 'database stops')).to.deep.equal(['database starts']);
    expect(events).to.include('database stops');
  });

  it('rejects processes that wait for one another', () => {
    const { server } = recorded([]);
    expect(() => layersFromTop([server('a', 'b'), server('b', 'a')])).to.throw('wait for one another: a, b');
  });
});
