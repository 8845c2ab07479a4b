import type { ManagedProcess } from '@taskwire/process-supervisor';
import { supervise, type ProcessEvent, type Restarts, type SupervisedProcess } from './supervised-process.ts';

/** One node of the suite: a long-running process, or a step that ends when `run` resolves. A node starts once everything in `after` is ready. */
export type Node = { name: string; after: string[] } & (
  { start: (signal: AbortSignal) => Promise<ManagedProcess> } | { run: (signal: AbortSignal) => Promise<void> }
);

export type Progress = { name: string; state: 'starting' | 'ready'; tookMs: number };

export type ProcessGraph = {
  process(name: string): SupervisedProcess;
  processes: SupervisedProcess[];
  /** Stops the processes, starting with those on which no others depend. */
  stop(): Promise<void>;
};

/**
 * Starts every node as early as its `after` allows.
 * @throws the first failure, after stopping all nodes that were started.
 */
export async function startGraph(
  nodes: Node[],
  o: {
    restarts: Restarts;
    onEvent: (event: ProcessEvent) => void;
    onProgress: (progress: Progress) => void;
    signal?: AbortSignal;
  },
): Promise<ProcessGraph> {
  const processes = new Map<string, SupervisedProcess>();
  const ready = new Map<string, Promise<void>>();
  const interrupt = new AbortController();

  async function begin(node: Node): Promise<void> {
    for (const name of node.after) await ready.get(name);
    if (interrupt.signal.aborted) throw new Error('The start was interrupted.');
    const began = performance.now();
    o.onProgress({ name: node.name, state: 'starting', tookMs: 0 });
    if ('run' in node) await node.run(interrupt.signal);
    else {
      const supervised = supervise({ name: node.name, start: node.start, restarts: o.restarts, onEvent: o.onEvent });
      processes.set(node.name, supervised);
      await supervised.start();
    }
    o.onProgress({ name: node.name, state: 'ready', tookMs: performance.now() - began });
  }

  const stop = async () => {
    for (const layer of layersFromTop(nodes)) {
      await Promise.all(layer.map((name) => processes.get(name)?.stop() ?? Promise.resolve()));
    }
  };
  const cancel = async () => {
    interrupt.abort();
    await stop();
  };

  if (o.signal?.aborted) interrupt.abort();
  // nodes are listed so that each follows its dependencies
  for (const node of nodes) ready.set(node.name, begin(node));
  const onAbort = () => void cancel();
  o.signal?.addEventListener('abort', onAbort);
  try {
    await Promise.all(ready.values());
  } catch (error) {
    await cancel();
    await Promise.allSettled(ready.values());
    throw error;
  } finally {
    o.signal?.removeEventListener('abort', onAbort);
  }
  return {
    process(name) {
      const found = processes.get(name);
      if (!found) throw new Error(`The suite runs no ${name} of its own.`);
      return found;
    },
    processes: [...processes.values()],
    stop,
  };
}

/** The names in layers, from the nodes that no others depend on to the nodes without dependencies. */
export function layersFromTop(nodes: Node[]): string[][] {
  const layers: string[][] = [];
  const left = new Map(nodes.map((node) => [node.name, node]));
  while (left.size > 0) {
    const needed = new Set([...left.values()].flatMap((node) => node.after));
    const top = [...left.keys()].filter((name) => !needed.has(name));
    if (top.length === 0) throw new Error(`These processes wait for one another: ${[...left.keys()].join(', ')}.`);
    top.forEach((name) => left.delete(name));
    layers.push(top);
  }
  return layers;
}
