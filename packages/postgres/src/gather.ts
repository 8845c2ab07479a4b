import { createBatches } from '@taskwire/lifecycle';
import { outageOf } from './unavailable.ts';

export type GatherOptions<I, R extends NonNullable<unknown>> = {
  /** The name of the span of a batch. */
  name: string;
  /** The maximum number of items per batch. */
  maxItems?: number;
  /**
   * Does the work of several items in one statement or transaction. Returns one result per item, in the same order, or undefined for an item that has to
   * run alone. If it rejects, it must have had no effect.
   */
  together(items: readonly I[]): Promise<readonly (R | undefined)[]>;
  /** Does the work of one item. */
  alone(item: I): Promise<R>;
};

/** More than are usually waiting. With more items, a statement would hold the locks of its first items for too long. */
const defaultMaxItems = 100;

/**
 * Returns a function that does the work of one item. Items that arrive while a batch runs form the next one (`createBatches`), so that many share a
 * round trip and a commit, and a single item never waits. If a batch fails, each of its items runs alone, so that no item is affected by another's
 * error. The function rejects with the error of its own item.
 */
export function gather<I, R extends NonNullable<unknown>>(options: GatherOptions<I, R>): (item: I) => Promise<R> {
  const { together, alone } = options;
  type Result = { value: R } | { error: unknown };

  async function runAlone(item: I): Promise<Result> {
    try {
      return { value: await alone(item) };
    } catch (error) {
      return { error };
    }
  }

  async function run(items: readonly I[]): Promise<Result[]> {
    let values: readonly (R | undefined)[] = [];
    if (items.length > 1) {
      try {
        values = await together(items);
      } catch (error) {
        // an outage is not the fault of any item; otherwise running each one alone identifies the faulty item
        if (outageOf(error) === 'unavailable') return items.map(() => ({ error }));
      }
    }
    const results: Result[] = [];
    for (const [place, item] of items.entries()) {
      const value = values[place];
      results.push(value === undefined ? await runAlone(item) : { value });
    }
    return results;
  }

  const enqueue = createBatches<I, Result>({ name: options.name, maxItems: options.maxItems ?? defaultMaxItems, run });
  return async (item) => {
    const result = await enqueue(item);
    if ('error' in result) throw result.error;
    return result.value;
  };
}
