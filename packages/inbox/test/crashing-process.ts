// A consumer that dies at one message: crashing-process.ts <database URL> <AMQP URL> <message id>
import { createInbox } from '@taskwire/inbox';
import { createDatabase } from '@taskwire/postgres';
import { createRabbit, eventQueue, serviceTopology } from '@taskwire/rabbit';
import { createTelemetry } from '@taskwire/telemetry';
import { recordEffect, testHandler } from '@taskwire/testing';

const [url = '', amqpUrl = '', killer = ''] = process.argv.slice(2);
const service = 'notifications';
const telemetry = createTelemetry({ service });
const db = await createDatabase({ url, poolSize: 5, applicationName: 'crashing', telemetry });
const topology = serviceTopology({ service, bindings: ['tasks.#'] });
const rabbit = createRabbit({ url: amqpUrl, name: 'crashing', telemetry, topology });
const handler = testHandler({
  decide: (context) => {
    if (context.messageId === killer) process.kill(process.pid, 'SIGKILL');
    return recordEffect(context);
  },
});
// short, so that the process dies several times in quick succession
const limits = { leaseMs: 300, maxCrashes: 3, concurrency: 4 };
const inbox = createInbox({ db, rabbit, queue: eventQueue(service), handlers: [handler], telemetry, limits });
await rabbit.start();
await inbox.start();
