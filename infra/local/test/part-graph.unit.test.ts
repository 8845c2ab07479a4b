import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { layersFromTop, startGraph, type Node } from '../part-graph.ts';
import { fakePart } from './fake-part.ts';

describe('The graph of parts', () => {
  const options = { restarts: 'manual' as const, tell: () => undefined, progress: () => undefined };

  function recorded(events: string[]) {
    const part = (name: string, ...after: string[]): Node => ({
      name,
      after,
      start: () => {
        events.push(`${name} starts`);
        return Promise.resolve(fakePart(name, events));
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
    return { part, step };
  }

  it('starts each part once everything that it builds on is ready', async () => {
    const events: string[] = [];
    const { part, step } = recorded(events);
    await startGraph(
      [part('database'), part('broker'), step('migrations', 'database'), part('service', 'migrations', 'broker')],
      options,
    );
    expect(events).to.deep.equal(['database starts', 'broker starts', 'migrations runs', 'service starts']);
  });

  it('stops a part only after those that build on it', async () => {
    const events: string[] = [];
    const { part, step } = recorded(events);
    const graph = await startGraph(
      [part('database'), step('migrations', 'database'), part('service', 'migrations')],
      options,
    );
    events.length = 0;
    await graph.stop();
    expect(events).to.deep.equal(['service stops', 'database stops']);
  });

  it('stops what has started, and starts nothing more, when a part fails', async () => {
    const events: string[] = [];
    const { part } = recorded(events);
    const failing: Node = { name: 'broker', after: ['database'], start: () => Promise.reject(new Error('no broker')) };
    const error = await startGraph([part('database'), failing, part('service', 'broker')], options).catch(
      (thrown: unknown) => thrown,
    );
    await turn();
    expect(String(error)).to.include('no broker');
    expect(events).to.deep.equal(['database starts', 'database stops']);
  });

  it('stops what has started when it is interrupted', async () => {
    const events: string[] = [];
    const { part } = recorded(events);
    const interrupt = new AbortController();
    const slow: Node = {
      name: 'broker',
      after: ['database'],
      run: () => new Promise((resolve) => interrupt.signal.addEventListener('abort', () => resolve())),
    };
    const starting = startGraph([part('database'), slow, part('service', 'broker')], {
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

  it('is refused when parts wait for one another', () => {
    const { part } = recorded([]);
    expect(() => layersFromTop([part('a', 'b'), part('b', 'a')])).to.throw('wait for one another: a, b');
  });
});
