/** The store of a worker's own data, which rejects the writes of earlier leases by their fences, as a worker's author would build it. */
export type FencedStore = { write(jobId: string, fence: number): boolean };

export function createFencedStore(): FencedStore {
  const highest = new Map<string, number>();
  return {
    write(jobId, fence) {
      if (fence < (highest.get(jobId) ?? 0)) return false;
      highest.set(jobId, fence);
      return true;
    },
  };
}
