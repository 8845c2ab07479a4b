import { Readable } from 'node:stream';
import { Argument, type Command } from 'commander';
import { inboxMigrations } from '@taskwire/inbox';
import { publishEpoch, raiseEpochAbove, readStoredEpoch, sessionsOf, type Database } from '@taskwire/postgres';
import { userDirectoryMigrations } from '@taskwire/user-directory';
import { consumerNames, type ConsumerName } from '../../../infra/local/running-file.ts';
import { authCommand, authEnvironment } from '../auth.ts';
import { CommandFault, exitCodes, type CommandProcess } from '../command-process.ts';
import { commandTelemetry, openAuthDatabase, openDatabase } from '../database.ts';
import { markOpenDeliveries } from './notifications.ts';
import { forgetLostStates, markMissingTasks } from './tasks.ts';
import { requestFullReconciliation, userCopies } from './user-copies.ts';

type ServiceName = 'auth' | ConsumerName;
type Options = { promoted?: true; raise?: true };

const help = `
Run it after the database of the service was restored, and before the service starts again. It may be repeated, and continues where an
interrupted run ended. docs/runbooks/restore.md has the whole procedure.

auth           reads the users in Tasks and Notifications, and revokes rights again that were revoked after the time of the backup; ends all access;
               replaces signing keys and clients' secrets. Prints the users that an admin has to look at, and the new secrets.
tasks          removes lost states from the cache of Notifications, and marks notifications about tasks that were lost.
notifications  marks deliveries that were open at the time of the backup as unknown.

The command for auth needs the databases of all services, that for tasks also the database of Notifications: set TASKS_DATABASE_URL and
NOTIFICATIONS_DATABASE_URL, and for auth DATABASE_URL and KEY_ENCRYPTION_SECRET as for the service.`;

/** Adds the command that makes the suite consistent after one service's database was restored. */
export function addRestored(program: Command, process: CommandProcess, exit: (code: number) => void): void {
  program
    .command('restored')
    .description('makes the suite consistent after the database of one service was restored')
    .addArgument(
      new Argument('<service>', 'the service whose database was restored').choices(['auth', ...consumerNames]),
    )
    .option('--promoted', 'a standby was promoted without losing a change: only accepts the new epoch')
    .option('--raise', 'raises the epoch first: a dump was loaded into the same database')
    .addHelpText('after', help)
    .action(async (service: ServiceName, options: Options) => exit(await restored(service, options, process)));
}

async function restored(service: ServiceName, { promoted, raise }: Options, process: CommandProcess): Promise<number> {
  const opened: Database[] = [];
  const telemetry = commandTelemetry(process);
  const open = async (name: ServiceName): Promise<Database> => {
    const db =
      name === 'auth'
        ? await openAuthDatabase(process.env, telemetry)
        : await openDatabase(name, process.env, { telemetry, needs: [inboxMigrations, userDirectoryMigrations] });
    opened.push(db);
    return db;
  };
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  try {
    const db = await open(service);
    if (raise === true) await raiseEpochAbove(db, 0);
    const { epoch, consistent, raisedAt } = await readStoredEpoch(db);
    if (consistent === epoch) {
      say(
        `The database of ${service} was neither restored nor promoted since the suite was last consistent. Nothing to do.`,
      );
      return exitCodes.done;
    }
    if (promoted === true) {
      await publishEpoch(db);
      say(`Published epoch ${epoch} of ${service}.`);
      return exitCodes.done;
    }
    if (service !== 'tasks') await requireStopped(db, service);
    switch (service) {
      case 'auth':
        return await recoverAuth(await open('tasks'), await open('notifications'), process);
      case 'tasks': {
        const notifications = await open('notifications');
        await requestFullReconciliation(db);
        const { notifications: marked, deliveries } = await markMissingTasks(db, notifications);
        say(
          `Removed ${await forgetLostStates(db, notifications)} lost states of tasks from the cache of Notifications.`,
        );
        say(`Marked ${marked} notifications about tasks that were lost, and skipped ${deliveries} of their mails.`);
        break;
      }
      case 'notifications':
        await requestFullReconciliation(db);
        say(`Marked ${await markOpenDeliveries(db, raisedAt)} deliveries as unknown.`);
    }
    await publishEpoch(db);
    say(`Published epoch ${epoch} of ${service}.`);
    return exitCodes.done;
  } finally {
    for (const db of opened) await db.close();
  }
}

/** @throws CommandFault if a process of the service is connected, because it would act on data that the command is about to change. */
async function requireStopped(db: Database, service: ServiceName): Promise<void> {
  const sessions = await sessionsOf(db, service);
  if (sessions.length > 0) throw new CommandFault(`${service} is running (${sessions.join(', ')}). Stop it first.`);
}

async function recoverAuth(tasks: Database, notifications: Database, process: CommandProcess): Promise<number> {
  async function* copies(): AsyncGenerator<string> {
    yield* userCopies(tasks, 'tasks');
    yield* userCopies(notifications, 'notifications');
  }
  // requested before the epoch is published, so that even after an interrupted run no directory is forgotten; the reconciliation waits for Auth
  await requestFullReconciliation(tasks);
  await requestFullReconciliation(notifications);
  const runCommand = await authCommand();
  return await runCommand({
    ...process,
    args: ['user', 'recover'],
    env: await authEnvironment(process.env),
    stdin: Readable.from(copies()),
    program: `${process.program} auth`,
  });
}
