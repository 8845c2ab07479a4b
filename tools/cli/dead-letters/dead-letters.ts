// npm run dlq -- list|waiting|show|replay|drop <service>: the dead letters of a service, and messages waiting for a retry
import { hostname, userInfo } from 'node:os';
import {
  createDeadLetters,
  listPendingMessages,
  type BatchResult,
  type DeadLetters,
  type ResolveResult,
} from '@taskwire/dead-letters';
import type { Database } from '@taskwire/postgres';
import { eventQueue } from '@taskwire/rabbit';
import { commandTelemetry, loadDotEnv, openDatabase } from '../operator/access.ts';
import { CommandFault, exitCodes, runCommand } from '../operator/command.ts';
import { help, readCommand, type Chosen, type Command } from './arguments.ts';
import { printLetter, printPage, printWaiting } from './print.ts';

/** A few seconds of work between two lines of progress. */
const batchSize = 500;

loadDotEnv();
await runCommand(async () => {
  const command = readCommand(process.argv.slice(2));
  if (command.name === 'help') {
    console.log(help);
    return exitCodes.done;
  }
  const db = await openDatabase(command.service, commandTelemetry('dlq'));
  try {
    if (command.name === 'waiting') return await showWaiting(command, db);
    return await carryOut(command, createDeadLetters({ db }));
  } finally {
    await db.close();
  }
}, 'npm run dlq -- --help');

async function showWaiting({ service, search, json }: Command & { name: 'waiting' }, db: Database): Promise<number> {
  const { data, next_cursor } = await listPendingMessages(db, search);
  const page = { data: data.map((message) => ({ queue: eventQueue(service), ...message })), next_cursor };
  if (json) printJson(page);
  else printWaiting(page);
  return exitCodes.done;
}

async function carryOut(
  command: Exclude<Command, { name: 'help' | 'waiting' }>,
  deadLetters: DeadLetters,
): Promise<number> {
  switch (command.name) {
    case 'list': {
      const page = await deadLetters.search(command.search);
      if (command.json) printJson(page);
      else printPage(page);
      return exitCodes.done;
    }
    case 'show': {
      const letter = await deadLetters.read(command.id);
      if (letter === undefined) throw new CommandFault(`${command.service} has no dead letter ${command.id}.`);
      if (command.json) printJson(letter);
      else printLetter(letter);
      return exitCodes.done;
    }
    case 'replay': {
      const resolution = { actor: actor(), reason: command.because };
      return await settle(command, 'replayed', {
        one: (id) => deadLetters.replay(id, resolution),
        batch: (filter) => deadLetters.replayBatch({ filter, limit: batchSize }, resolution),
      });
    }
    case 'drop': {
      const resolution = { actor: actor(), reason: command.because };
      return await settle(command, 'dropped', {
        one: (id) => deadLetters.drop(id, resolution),
        batch: (filter) => deadLetters.dropBatch({ filter, limit: batchSize }, resolution),
      });
    }
  }
}

type Ways = {
  one(id: string): Promise<ResolveResult>;
  batch(filter: Extract<Chosen, { filter: unknown }>['filter']): Promise<BatchResult>;
};

async function settle(
  { chosen, json }: { chosen: Chosen; json: boolean },
  done: 'replayed' | 'dropped',
  { one, batch }: Ways,
): Promise<number> {
  if ('filter' in chosen) {
    let total = 0;
    let { filter } = chosen;
    for (;;) {
      const { resolved, more, until } = await batch(filter);
      total += resolved;
      if (!more) break;
      filter = { ...filter, until };
      if (!json) console.log(`${total} ${done} …`);
    }
    if (json) printJson({ [done]: total });
    else console.log(`${total} ${done}.`);
    return exitCodes.done;
  }
  const results: { id: string; outcome: ResolveResult }[] = [];
  for (const id of chosen.ids) {
    const outcome = await one(id);
    results.push({ id, outcome });
    if (json) continue;
    if (outcome === 'done') console.log(`${id} ${done}.`);
    else
      console.error(
        `${id}: ${outcome === 'conflict' ? 'somebody settled it before (show tells who)' : 'there is none'}.`,
      );
  }
  if (json) printJson(results);
  return results.every(({ outcome }) => outcome === 'done') ? exitCodes.done : exitCodes.failed;
}

function actor(): string {
  return `os:${login()}@${hostname()}`;
}

function login(): string {
  try {
    return userInfo().username;
  } catch {
    // a container user without an entry in its passwd
    return String(process.getuid?.() ?? 'unknown');
  }
}

function printJson(value: unknown): void {
  console.log(JSON.stringify(value, null, 2));
}
