import type { Command } from 'commander';
import type { DeadLetterQuery } from '@taskwire/contracts';
import { createDeadLetters, listPendingMessages, type DeadLetters } from '@taskwire/dead-letters';
import type { Database } from '@taskwire/postgres';
import { eventQueue } from '@taskwire/rabbit';
import type { ConsumerName } from '../../../infra/local/running-file.ts';
import { CommandFault, type CommandProcess } from '../command-process.ts';
import { commandTelemetry, openDatabase, serviceArgument } from '../database.ts';
import { jsonText, letterLines, pageLines, waitingLines } from './print.ts';
import { drop, replay, resolve, type Resolution } from './resolve.ts';
import {
  addFilter,
  addPaging,
  parseId,
  parseIds,
  readFilter,
  readSelection,
  reasonOption,
  stateOption,
} from './options.ts';

type JsonOption = { json?: boolean };
type PageOptions = JsonOption & Pick<DeadLetterQuery, 'limit' | 'cursor'>;

const json = ['--json', 'print one JSON document instead of a table'] as const;
const auditHelp = '\nThe audit records you as os:<login>@<host>.';

/** Adds the commands for a service's dead letters, and for messages that wait for a retry. */
export function addDeadLetters(program: Command, process: CommandProcess): void {
  const group = program
    .command('dead-letters')
    .description('lists, replays and drops messages that failed permanently');
  addList(group, process);
  addWaiting(group, process);
  addShow(group, process);
  addResolution(
    subcommand(group, 'replay', 'retries messages, in the order in which they arrived').addOption(reasonOption()),
    process,
    replay,
  );
  addResolution(
    subcommand(group, 'drop', 'drops messages permanently; their rows stay readable').addOption(
      reasonOption().makeOptionMandatory(),
    ),
    process,
    (deadLetters, reason = '') => drop(deadLetters, reason),
  );
}

function addList(group: Command, process: CommandProcess): void {
  addPaging(addFilter(subcommand(group, 'list', 'lists messages that failed permanently, latest first')))
    .addOption(stateOption())
    .option(...json)
    .action(async (service: ConsumerName, options: PageOptions & Pick<DeadLetterQuery, 'state'>) => {
      const { limit, cursor, state } = options;
      const search = { ...readFilter(options), limit, state, ...(cursor !== undefined && { cursor }) };
      const page = await withDatabase(service, process, async (db) => await createDeadLetters({ db }).search(search));
      print(process, options.json ? jsonText(page) : pageLines(page, process.stdout.columns));
    });
}

function addWaiting(group: Command, process: CommandProcess): void {
  const description = 'lists messages that wait for another attempt: their attempts, the next one, the last error';
  addPaging(addFilter(subcommand(group, 'waiting', description), ['key', 'type', 'message_id']))
    .option(...json)
    .action(async (service: ConsumerName, options: PageOptions) => {
      const { limit, cursor } = options;
      const { key, type, message_id } = readFilter(options);
      const search = { key, type, message_id, limit, cursor };
      const found = await withDatabase(service, process, async (db) => await listPendingMessages(db, search));
      const data = found.data.map((message) => ({ queue: eventQueue(service), ...message }));
      const page = { data, next_cursor: found.next_cursor };
      print(process, options.json ? jsonText(page) : waitingLines(page, process.stdout.columns));
    });
}

function addShow(group: Command, process: CommandProcess): void {
  subcommand(group, 'show', 'shows a dead letter with its headers, payload, errors and audit')
    .argument('<id>', 'its id', parseId)
    .option(...json)
    .action(async (service: ConsumerName, id: string, options: JsonOption) => {
      const letter = await withDatabase(service, process, async (db) => await createDeadLetters({ db }).read(id));
      if (letter === undefined) throw new CommandFault(`${service} has no dead letter ${id}.`);
      print(process, options.json ? jsonText(letter) : letterLines(letter));
    });
}

function addResolution(
  command: Command,
  process: CommandProcess,
  resolution: (deadLetters: DeadLetters, reason: string | undefined) => Resolution,
): void {
  addFilter(command.argument('[id...]', 'the ids of dead letters', parseIds))
    .option('--all', 'all dead letters of the service')
    .option(...json)
    .addHelpText('after', auditHelp)
    .action(async (service: ConsumerName, ids: string[], options: JsonOption & { because?: string }) => {
      const selection = readSelection(ids, command);
      await withDatabase(service, process, async (db) => {
        const output = { process, json: options.json === true };
        await resolve(selection, resolution(createDeadLetters({ db }), options.because), output);
      });
    });
}

function subcommand(group: Command, name: string, description: string): Command {
  return group.command(name).description(description).addArgument(serviceArgument());
}

async function withDatabase<T>(
  service: ConsumerName,
  process: CommandProcess,
  work: (db: Database) => Promise<T>,
): Promise<T> {
  const db = await openDatabase(service, process.env, { telemetry: commandTelemetry(process) });
  try {
    return await work(db);
  } finally {
    await db.close();
  }
}

function print({ stdout }: CommandProcess, output: string | readonly string[]): void {
  stdout.write(typeof output === 'string' ? output : output.map((line) => `${line}\n`).join(''));
}
