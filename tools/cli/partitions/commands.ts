import { InvalidArgumentError, type Command } from 'commander';
import { subscriptions } from '@taskwire/contracts';
import { errorText } from '@taskwire/errors';
import { maxPartitions, openChangeRecord, partitionMigrations, type ChangeRecord } from '@taskwire/partitions';
import { openEventQueueAdmin, type EventQueueAdmin } from '@taskwire/rabbit';
import type { Telemetry } from '@taskwire/telemetry';
import { externalServers } from '../../../infra/local/external-servers.ts';
import { CommandFault, type CommandProcess } from '../command-process.ts';
import { commandTelemetry, openDatabase } from '../database.ts';
import { interruptSignal } from '../interrupt-signal.ts';
import { runningSuite, type Environment } from '../suite-environment.ts';
import { changePartitions, PartitionChangeRefused } from './change.ts';

const services = ['auth', 'tasks', 'notifications'] as const;
const consumers = ['tasks', 'notifications'] as const;

const help = `
Without a number, prints the recorded one. With a number, the command stops the relays, waits until the workers have handled the messages in all event
queues, stops the consumers, exchanges the queues, and records the number in each database. Requests are served throughout; events wait in the
outboxes. Then restart every worker with EVENT_PARTITIONS=<number>: until then it publishes and consumes nothing, and is not ready. An interrupted
change can be run again, even with another number.

For an installation other than the running suite, set AUTH_DATABASE_URL, TASKS_DATABASE_URL, NOTIFICATIONS_DATABASE_URL, and AMQP_URL with a login
that may configure the queues of all services.`;

/** Adds the command for the number of partitions of events. */
export function addPartitions(program: Command, process: CommandProcess): void {
  program
    .command('partitions')
    .description('prints or changes the number of queues among which the events of each service are divided')
    .argument('[number]', `1 to ${maxPartitions}`, toCount)
    .option('--timeout <seconds>', 'how long to wait for the queues to be empty', toSeconds, 600)
    .addHelpText('after', help)
    .action(async (count: number | undefined, { timeout }: { timeout: number }) => {
      const telemetry = commandTelemetry(process);
      const records = await openRecords(process.env, telemetry);
      try {
        if (count === undefined) await print(records, process);
        else await change({ records, count, timeoutMs: timeout * 1_000 }, telemetry, process);
      } finally {
        for (const record of Object.values(records)) await record.close();
      }
    });
}

function toCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= maxPartitions) return count;
  throw new InvalidArgumentError(`It must be a number from 1 to ${maxPartitions}.`);
}

function toSeconds(text: string): number {
  const seconds = Number(text);
  if (seconds > 0) return seconds;
  throw new InvalidArgumentError('It must be a number of seconds.');
}

type Records = Readonly<Record<string, ChangeRecord>>;

async function openRecords(env: Environment, telemetry: Telemetry): Promise<Records> {
  const records: Record<string, ChangeRecord> = {};
  try {
    for (const service of services) {
      const db = await openDatabase(service, env, { telemetry, needs: [partitionMigrations] });
      records[service] = await openChangeRecord(db);
    }
    return records;
  } catch (error) {
    for (const record of Object.values(records)) await record.close();
    throw error;
  }
}

async function print(records: Records, { stdout }: CommandProcess): Promise<void> {
  for (const [service, record] of Object.entries(records)) {
    const { count, phase, next_count: next } = await record.read();
    const change = phase === 'running' ? '' : `, ${phase} for a change to ${next}`;
    stdout.write(`${service}: ${count} ${count === 1 ? 'partition' : 'partitions'}${change}\n`);
  }
}

async function change(
  wanted: { records: Records; count: number; timeoutMs: number },
  telemetry: Telemetry,
  process: CommandProcess,
): Promise<void> {
  const { count } = wanted;
  const queues = await openQueues(process.env, telemetry);
  const interruption = interruptSignal();
  try {
    const report = (line: string): void => void process.stderr.write(`${line}\n`);
    const changed = await changePartitions({ ...wanted, queues, signal: interruption.signal, report });
    const next = `Restart every worker with EVENT_PARTITIONS=${count}.`;
    process.stdout.write(changed ? `The number of partitions is ${count}. ${next}\n` : `It is ${count} already.\n`);
  } catch (error) {
    if (error instanceof PartitionChangeRefused) throw new CommandFault(error.message);
    throw new CommandFault(
      `The change was interrupted: ${errorText(error)}. Run the command again; until then, workers may refuse to start.`,
    );
  } finally {
    interruption.dispose();
    await queues.close();
  }
}

async function openQueues(env: Environment, telemetry: Telemetry): Promise<EventQueueAdmin> {
  const url = externalServers(env).amqpUrl ?? runningSuite(env)?.operatorAmqpUrl;
  if (url === undefined) throw new CommandFault('Name the broker with AMQP_URL.');
  return await openEventQueueAdmin({
    ...{ url, telemetry },
    services: consumers.map((service) => ({ service, bindings: subscriptions[service] })),
  }).catch((error: unknown) => {
    throw new CommandFault(`The broker cannot be reached: ${errorText(error)}.`);
  });
}
