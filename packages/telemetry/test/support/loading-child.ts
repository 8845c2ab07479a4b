import { registerHooks } from 'node:module';

const loaded = new Set<string>();
registerHooks({
  load(url, context, nextLoad) {
    const sdk = /node_modules\/(@opentelemetry\/sdk-trace|@sentry\/node)\//.exec(url)?.[1];
    if (sdk !== undefined) loaded.add(sdk);
    return nextLoad(url, context);
  },
});

const { openTelemetry } = await import('../../src/index.ts');
const settings = JSON.parse(process.argv[2] ?? '{}') as { traces?: boolean; sentry?: boolean };
const telemetry = await openTelemetry({
  ...{ service: 'child', release: '1.0.0', level: 'error' },
  traces: settings.traces
    ? {
        ...{ endpoint: 'http://127.0.0.1:9', headers: {}, encoding: 'http/protobuf', resource: {} },
        ...{ sampler: 'always_on', ratio: 1, maxQueuedSpans: 100 },
      }
    : undefined,
  sentry: settings.sentry ? { dsn: 'http://key@127.0.0.1:9/1', environment: 'test' } : undefined,
});
await telemetry.shutdown();
process.send?.([...loaded].toSorted(), () => process.disconnect?.());
