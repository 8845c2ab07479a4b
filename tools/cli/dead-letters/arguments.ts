import { deadLetterFilter, deadLetterQuery, type DeadLetterFilter, type DeadLetterQuery } from '@taskwire/contracts';
import type { z } from 'zod';
import type { ConsumerName } from '../../../infra/local/running-file.ts';
import { readOptions, readService, UsageError } from '../operator/command.ts';

export const help = `npm run dlq -- <command> <service> [options]        <service>: tasks or notifications

  list   <service> [filter] [--state dead|replayed|dropped|any] [--limit 50] [--cursor text]
                                        messages that failed for good, latest first
  waiting <service> [--key text] [--type text] [--message-id text] [--limit 50] [--cursor text]
                                        messages that wait for another attempt: how many they had, when the next one is, the last error
  show   <service> <id>                 one with its headers, payload, errors and audit
  replay <service> <id>… | [filter] | --all  [--because text]
                                        have them tried again, in the order in which they came
  drop   <service> <id>… | [filter] | --all  --because text
                                        give them up for ever

filter
  --key text          the aggregate: the id of a task or user
  --type text         a type, or a pattern: * is one word, # any number of them (quote it)
  --reason text       the code, or a part of the error
  --message-id text
  --from time         dead at this time or later, for example 2026-11-20T08:00:00Z
  --until time        dead at this time or earlier

  --json              one JSON document instead of a table

It works on the suite that npm start runs, or on the database that TASKS_DATABASE_URL or NOTIFICATIONS_DATABASE_URL names. In the audit you
are os:<login>@<host>. Exit codes: 0 done, 1 not (all) done, 2 wrong arguments.`;

/** The dead letters to settle: these ids, or all that match. */
export type Chosen = { ids: readonly string[] } | { filter: DeadLetterFilter };

export type Command =
  | { name: 'help' }
  | { name: 'list'; service: ConsumerName; search: DeadLetterQuery; json: boolean }
  | { name: 'waiting'; service: ConsumerName; search: z.output<typeof waitingQuery>; json: boolean }
  | { name: 'show'; service: ConsumerName; id: string; json: boolean }
  | { name: 'replay'; service: ConsumerName; chosen: Chosen; because: string | undefined; json: boolean }
  | { name: 'drop'; service: ConsumerName; chosen: Chosen; because: string; json: boolean };

const waitingQuery = deadLetterQuery.pick({ key: true, type: true, message_id: true, limit: true, cursor: true });

const text = { type: 'string' } as const;
const flag = { type: 'boolean', default: false } as const;
const criteria = { key: text, type: text, reason: text, 'message-id': text, from: text, until: text };

const optionsOf = {
  list: { ...criteria, state: text, limit: text, cursor: text },
  waiting: { key: text, type: text, 'message-id': text, limit: text, cursor: text },
  show: {},
  replay: { ...criteria, all: flag, because: text },
  drop: { ...criteria, all: flag, because: text },
};

/** @throws UsageError that names the argument and the remedy */
export function readCommand(args: string[]): Command {
  const [name, ...rest] = args;
  if (name === undefined || name === 'help' || args.includes('--help')) return { name: 'help' };
  if (!isCommand(name)) {
    throw new UsageError(
      `There is no command ${JSON.stringify(name)}: it is one of ${Object.keys(optionsOf).join(', ')}.`,
    );
  }
  const { values, positionals } = readOptions(rest, { ...optionsOf[name], json: flag });
  const { json, all, because, ...given } = values as { json: boolean; all?: boolean; because?: string };
  const [first, ...ids] = positionals;
  const service = readService(first);
  switch (name) {
    case 'list':
      refuseIds(ids);
      return { name, service, search: check(deadLetterQuery, given), json };
    case 'waiting':
      refuseIds(ids);
      return { name, service, search: check(waitingQuery, given), json };
    case 'show':
      return { name, service, id: readId(ids), json };
    case 'replay':
      return {
        name,
        service,
        chosen: readChosen({ ids, given, ...(all !== undefined && { all }) }),
        because: readBecause(because),
        json,
      };
    case 'drop': {
      const why = readBecause(because);
      if (why === undefined) throw new UsageError('--because is missing: say why they are given up, for the audit.');
      return {
        name,
        service,
        chosen: readChosen({ ids, given, ...(all !== undefined && { all }) }),
        because: why,
        json,
      };
    }
  }
}

function isCommand(name: string): name is keyof typeof optionsOf {
  return Object.hasOwn(optionsOf, name);
}

function readId(ids: string[]): string {
  const [id] = ids;
  if (id === undefined) throw new UsageError('<id> is missing: npm run dlq -- list <service> shows the ids.');
  refuseIds(ids.slice(1));
  return checkId(id);
}

function refuseIds(ids: string[]): void {
  if (ids.length > 0) throw new UsageError(`${JSON.stringify(ids[0])} is one argument too many; leave it out.`);
}

function readChosen({
  ids,
  given,
  all = false,
}: {
  ids: string[];
  given: Record<string, string>;
  all?: boolean;
}): Chosen {
  const filter = check(deadLetterFilter, given);
  const hasFilter = Object.keys(given).length > 0;
  const ways = [ids.length > 0, hasFilter, all].filter(Boolean).length;
  if (ways === 0) throw new UsageError('Which ones? Give ids, a filter such as --type, or --all.');
  if (ways > 1) throw new UsageError('Ids, a filter and --all exclude one another: give one of them.');
  return ids.length > 0 ? { ids: ids.map(checkId) } : { filter };
}

function readBecause(because: string | undefined): string | undefined {
  if (because === undefined) return undefined;
  const trimmed = because.trim();
  if (trimmed === '' || trimmed.length > 500) throw new UsageError('--because must have 1 to 500 characters.');
  return trimmed;
}

const uuid = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

function checkId(id: string): string {
  if (!uuid.test(id)) throw new UsageError(`<id> ${JSON.stringify(id)} is no id: list shows them in the first column.`);
  return id.toLowerCase();
}

/** Validates the options, which have the names of the fields, with hyphens. */
function check<S extends z.ZodType>(schema: S, given: Record<string, string>): z.output<S> {
  const named = Object.fromEntries(Object.entries(given).map(([name, value]) => [name.replaceAll('-', '_'), value]));
  const result = schema.safeParse(named);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new UsageError(`--${String(issue?.path[0]).replaceAll('_', '-')}: ${issue?.message}.`);
}
