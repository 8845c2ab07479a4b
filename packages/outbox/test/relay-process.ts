// A process that relays an outbox, for tests that kill it: relay-process.ts <database URL> <AMQP URL>
import { createRelay } from '@taskwire/outbox';
import { createRabbit, publishOnlyTopology } from '@taskwire/rabbit';
import { createTelemetry } from '@taskwire/telemetry';

const [databaseUrl = '', amqpUrl = ''] = process.argv.slice(2);
const telemetry = createTelemetry({ service: 'tasks' });
const rabbit = createRabbit({ url: amqpUrl, name: 'relay-process', telemetry, topology: publishOnlyTopology });
const relay = createRelay({ databaseUrl, publisher: rabbit.publisher(), telemetry, appId: 'tasks' });
await rabbit.start();
await relay.start();
