/**
 * Runs items in batches. Items that arrive while a batch runs form the next one, so that a single item never waits and many share a round trip. `run`
 * returns one result per item, in the same order. If it rejects, every item of the batch rejects.
 */
export function createBatches<I, R>(options: {
  maxItems: number;
  run: (items: I[]) => Promise<R[]>;
}): (item: I) => Promise<R> {
  type Waiting = { item: I; resolve: (result: R) => void; reject: (error: unknown) => void };
  let waiting: Waiting[] = [];
  let running = false;

  async function runAll(): Promise<void> {
    running = true;
    // items delivered in the same turn of the event loop share a batch
    await new Promise((resolve) => setImmediate(resolve));
    while (waiting.length > 0) {
      const batch = waiting.slice(0, options.maxItems);
      waiting = waiting.slice(options.maxItems);
      try {
        const results = await options.run(batch.map(({ item }) => item));
        for (const [place, { resolve, reject }] of batch.entries()) {
          const result = results[place];
          if (result === undefined) reject(new Error('the batch returned no result for this item'));
          else resolve(result);
        }
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    running = false;
  }

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      if (!running) void runAll();
    });
}
