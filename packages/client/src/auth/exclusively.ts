type Locks = { request<T>(name: string, task: () => Promise<T>): Promise<T> };

/** Runs a task while no other tab of the origin runs one under the same name. Outside browsers, and on pages without locks, the task runs at once. */
export function exclusively<T>(name: string | undefined, task: () => Promise<T>): Promise<T> {
  const { locks } = (globalThis.navigator ?? {}) as { locks?: Locks };
  return name === undefined || locks === undefined ? task() : locks.request(name, task);
}
