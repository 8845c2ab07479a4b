// A relay or a consumer of some partitions, for partitions.ts: partition-process.ts <relay|consume> <database URL> <AMQP URL> <number of partitions> <served partitions>
import { z } from 'zod';
import { createInbox, defineHandler, done } from '@taskwire/inbox';
import { createRelay } from '@taskwire/outbox';
import { createPartitionWatch } from '@taskwire/partitions';
import { createDatabase, query } from '@taskwire/postgres';
import { createRabbit, eventQueue, eventQueues, serviceTopology } from '@taskwire/rabbit';
import { benchTelemetry } from './bench-telemetry.ts';
import { connected } from './messaging.ts';

const [role, databaseUrl = '', url = '', count = '1', served = '0'] = process.argv.slice(2);
const service = 'bench';
const telemetry = benchTelemetry();
const db = await createDatabase({ url: databaseUrl, poolSize: 10, applicationName: service, telemetry });
const partitions = { count: Number(count), served: served.split(',').map(Number) };
const watch = createPartitionWatch({ db, partitions, telemetry });
const topology = serviceTopology({ service, bindings: ['tasks.#'], partitions: partitions.count });
const rabbit = createRabbit({ url, name: service, telemetry, topology, mayDeclare: watch.mayDeclare });

function relay() {
  const publisher = rabbit.publisher();
  return createRelay({ databaseUrl, publisher, telemetry, appId: 'tasks', partitions, permission: watch.relaying });
}

function inbox() {
  const handler = defineHandler({
    name: 'bench',
    type: 'tasks.#',
    schema: z.object({ n: z.number() }),
    order: 'through_retry',
    handle: async ({ n }, { aggregateId }) =>
      done(async (tx) => {
        const text = 'INSERT INTO partition_effects (aggregate_id, n) VALUES ($1, $2)';
        await query(tx, { name: 'bench effect', text, values: [aggregateId, n] });
      }),
  });
  const queues = eventQueues(service, partitions);
  const queue = eventQueue(service);
  return createInbox({ db, rabbit, queue, queues, permission: watch.consuming, handlers: [handler], telemetry });
}

const worker = role === 'relay' ? relay() : inbox();
await watch.start();
await rabbit.start();
if (role === 'relay') await connected(rabbit);
process.on('message', (message) => {
  if (message === 'go') void worker.start();
});
process.once('disconnect', () => process.exit());
process.send?.('ready');
