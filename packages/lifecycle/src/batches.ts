import { AsyncLocalStorage } from 'node:async_hooks';
import { recordedSpan, withLinkedSpan, type SpanContext } from '@taskwire/telemetry';

/**
 * Runs items in batches. Items of the same turn of the event loop share a batch. Items that arrive while `maxRunning` batches run (by default, one) form
 * the next one. A single item therefore never waits, and many share a round trip. `run` returns one result per item, in the same order. If it rejects,
 * every item of the batch rejects.
 *
 * A batch of one item runs in the trace and log context of that item. A larger batch belongs to no single item: it runs outside their contexts, in a
 * span called `name` that is linked to their spans.
 */
export function createBatches<I, R>(options: {
  name: string;
  maxItems: number;
  maxRunning?: number;
  run: (items: I[]) => Promise<R[]>;
}): (item: I) => Promise<R> {
  type Waiting = {
    item: I;
    inContext: <T>(fn: () => T) => T;
    span: SpanContext | undefined;
    resolve: (result: R) => void;
    reject: (error: unknown) => void;
  };
  const outside = AsyncLocalStorage.snapshot();
  let waiting: Waiting[] = [];
  const { maxRunning = 1 } = options;
  let running = 0;
  let isGathering = false;

  async function runAll(): Promise<void> {
    running += 1;
    isGathering = true;
    await new Promise((resolve) => setImmediate(resolve));
    isGathering = false;
    while (waiting.length > 0) {
      const batch = waiting.slice(0, options.maxItems);
      waiting = waiting.slice(options.maxItems);
      try {
        const results = await runBatch(batch);
        for (const [place, { resolve, reject }] of batch.entries()) {
          const result = results[place];
          if (result === undefined) reject(new Error('the batch returned no result for this item'));
          else resolve(result);
        }
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    running -= 1;
  }

  async function runBatch(batch: readonly Waiting[]): Promise<R[]> {
    const items = batch.map(({ item }) => item);
    const [only] = batch;
    if (only !== undefined && batch.length === 1) return await only.inContext(() => options.run(items));
    const spans = batch.map(({ span }) => span);
    const attributes = (): Record<string, number> => ({ 'messaging.batch.message_count': batch.length });
    return await withLinkedSpan(spans, { name: options.name, attributes }, () => options.run(items));
  }

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, inContext: AsyncLocalStorage.snapshot(), span: recordedSpan(), resolve, reject });
      if (!isGathering && running < maxRunning) void outside(runAll);
    });
}
