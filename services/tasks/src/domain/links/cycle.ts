/** `task` cannot end before `waitsFor` has ended: its blocker or its sub-task. */
export type Wait = { task: string; waitsFor: string };

/**
 * The shortest path from one task to another along the waits, both included; undefined without a path. A new wait of `to` for `from` would close this
 * path to a cycle.
 */
export function pathOfWaits(waits: readonly Wait[], from: string, to: string): string[] | undefined {
  const next = Map.groupBy(waits, ({ task }) => task);
  const reachedFrom = new Map<string, string | undefined>([[from, undefined]]);
  // a Map can be extended while it is iterated, in the order of insertion: a breadth-first search
  for (const id of reachedFrom.keys()) {
    if (id === to) return pathTo(to, reachedFrom);
    for (const { waitsFor } of next.get(id) ?? []) if (!reachedFrom.has(waitsFor)) reachedFrom.set(waitsFor, id);
  }
  return undefined;
}

function pathTo(end: string, reachedFrom: ReadonlyMap<string, string | undefined>): string[] {
  const path = [end];
  for (let id = reachedFrom.get(end); id !== undefined; id = reachedFrom.get(id)) path.unshift(id);
  return path;
}
