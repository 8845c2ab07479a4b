/** A queue in which every source gets its turn, however many items another source adds. */
export type FairQueue<T> = {
  size(): number;
  /** The number of waiting items of this source. */
  lengthOf(source: string): number;
  push(source: string, item: T): void;
  /** Removes and returns the oldest item of the source whose turn it is; the source then waits until all others have had their turn. */
  next(): T | undefined;
  /** The number of waiting items of the source with the most items. */
  longest(): number;
  /** Removes and returns the newest item of the source with the most items. */
  dropFromLongest(): T | undefined;
};

/** Round robin between sources, first in, first out within a source. */
export function createFairQueue<T>(): FairQueue<T> {
  // a Map keeps the order of insertion, which is the order of turns
  const items = new Map<string, T[]>();
  let size = 0;

  function longestSource(): [string, T[]] | undefined {
    let longest: [string, T[]] | undefined;
    for (const entry of items) if (entry[1].length > (longest?.[1].length ?? 0)) longest = entry;
    return longest;
  }

  return {
    size: () => size,
    lengthOf: (source) => items.get(source)?.length ?? 0,
    longest: () => longestSource()?.[1].length ?? 0,
    push(source, item) {
      const own = items.get(source);
      if (own === undefined) items.set(source, [item]);
      else own.push(item);
      size += 1;
    },
    next() {
      for (const [source, own] of items) {
        const item = own.shift();
        items.delete(source);
        if (own.length > 0) items.set(source, own);
        size -= 1;
        return item;
      }
      return undefined;
    },
    dropFromLongest() {
      const [source, own] = longestSource() ?? [];
      if (source === undefined || own === undefined) return undefined;
      if (own.length === 1) items.delete(source);
      size -= 1;
      return own.pop();
    },
  };
}
