import type { Registry } from 'prom-client';

/** Returns a function that creates these metrics once for each registry: the parts of a service share them, and a registry rejects duplicate names. */
export function metricsOnce<M>(create: (registry: Registry) => M): (registry: Registry) => M {
  const created = new WeakMap<Registry, { metrics: M }>();
  return (registry) => {
    let entry = created.get(registry);
    if (entry === undefined) created.set(registry, (entry = { metrics: create(registry) }));
    return entry.metrics;
  };
}
