import { InvalidArgumentError, Option, type Command } from 'commander';
import { deadLetterFilter, deadLetterQuery, type DeadLetterFilter } from '@taskwire/contracts';
import type { z } from 'zod';

/** The dead letters to resolve: those with these ids, or all that match a filter. */
export type Selection = { ids: readonly string[] } | { filter: DeadLetterFilter };

type Criterion = keyof typeof deadLetterFilter.shape;

const criteria: readonly Criterion[] = ['key', 'type', 'reason', 'message_id', 'from', 'until'];

const placeholders: Readonly<Record<Criterion, string>> = {
  key: '<id>',
  type: '<pattern>',
  reason: '<text>',
  message_id: '<id>',
  from: '<time>',
  until: '<time>',
};

/** Adds an option for each criterion, named and described as in the REST API. Without a list, adds options for all criteria. */
export function addFilter(command: Command, names: readonly Criterion[] = criteria): Command {
  for (const name of names) {
    const schema = deadLetterFilter.shape[name];
    const example = name === 'from' || name === 'until' ? ', such as 2026-11-20T08:00:00Z' : '';
    const description = name === 'message_id' ? 'the id of the message' : `${schema.description ?? ''}${example}`;
    command.addOption(
      new Option(`--${name.replaceAll('_', '-')} ${placeholders[name]}`, description).argParser(parsedBy(schema)),
    );
  }
  return command;
}

/** Adds the options of a list, with the defaults and limits of the REST API. */
export function addPaging(command: Command): Command {
  const { limit, cursor } = deadLetterQuery.shape;
  return command
    .addOption(
      new Option('--limit <number>', 'the number of messages on a page')
        .argParser(parsedBy(limit))
        .default(limit.parse(undefined)),
    )
    .addOption(
      new Option('--cursor <text>', 'the cursor that the previous page ended with').argParser(parsedBy(cursor)),
    );
}

export function stateOption(): Option {
  const { state } = deadLetterQuery.shape;
  return new Option('--state <state>', 'the state of the dead letters').choices(state.unwrap().options).default('dead');
}

/** `--because`, for the audit. */
export function reasonOption(): Option {
  return new Option('--because <text>', 'the reason, for the audit (1 to 500 characters)').argParser((text) => {
    const trimmed = text.trim();
    if (trimmed === '' || trimmed.length > 500) throw new InvalidArgumentError('It must have 1 to 500 characters.');
    return trimmed;
  });
}

/** Returns the criteria among a command's options, with the names of the REST API. */
export function readFilter(options: Readonly<Record<string, unknown>>): DeadLetterFilter {
  const given = criteria.map((name) => [name, options[name === 'message_id' ? 'messageId' : name]] as const);
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

/** Reads ids, a filter or --all; ends with a usage error unless exactly one of them was given. */
export function readSelection(ids: readonly string[], command: Command): Selection {
  const filter = readFilter(command.opts());
  const all = command.opts()['all'] === true;
  const ways = [ids.length > 0, Object.keys(filter).length > 0, all].filter(Boolean).length;
  if (ways === 0) command.error('Name the dead letters: ids, a filter such as --type, or --all.');
  if (ways > 1) command.error('Ids, a filter and --all exclude one another: give one of them.');
  return ids.length > 0 ? { ids } : { filter };
}

const uuid = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

export function parseId(id: string): string {
  if (!uuid.test(id)) throw new InvalidArgumentError('Pass an id, as in the first column of `list`.');
  return id.toLowerCase();
}

export function parseIds(id: string, previous: readonly string[] = []): string[] {
  return [...previous, parseId(id)];
}

/** Validates an option's value with the schema of the field that has the same name. */
function parsedBy<S extends z.ZodType>(schema: S): (value: string) => z.output<S> {
  return (value) => {
    const result = schema.safeParse(value);
    if (result.success) return result.data;
    throw new InvalidArgumentError(`It ${result.error.issues[0]?.message ?? 'is invalid'}.`);
  };
}
