import { hostname, userInfo } from 'node:os';
import type { BatchResult, DeadLetters, ResolveResult } from '@taskwire/dead-letters';
import type { DeadLetterFilter } from '@taskwire/contracts';
import { CommandFault, type CommandProcess } from '../command-process.ts';
import { jsonText } from './print.ts';
import type { Selection } from './options.ts';

/** Takes a few seconds, after which the next line of progress is printed. */
const batchSize = 500;

/** A way to resolve dead letters: `done` is its past participle. */
export type Resolution = {
  done: 'replayed' | 'dropped';
  one(id: string): Promise<ResolveResult>;
  batch(filter: DeadLetterFilter): Promise<BatchResult>;
};

export function replay(deadLetters: DeadLetters, reason: string | undefined): Resolution {
  const audited = { actor: actor(), reason };
  return {
    done: 'replayed',
    one: (id) => deadLetters.replay(id, audited),
    batch: (filter) => deadLetters.replayBatch({ filter, limit: batchSize }, audited),
  };
}

export function drop(deadLetters: DeadLetters, reason: string): Resolution {
  const audited = { actor: actor(), reason };
  return {
    done: 'dropped',
    one: (id) => deadLetters.drop(id, audited),
    batch: (filter) => deadLetters.dropBatch({ filter, limit: batchSize }, audited),
  };
}

type Output = { process: CommandProcess; json: boolean };

/** Resolves the selected dead letters and prints the result. @throws CommandFault that names the dead letters that were not resolved. */
export async function resolve(selection: Selection, resolution: Resolution, output: Output): Promise<void> {
  if ('filter' in selection) await resolveMatching(selection.filter, resolution, output);
  else await resolveEach(selection.ids, resolution, output);
}

async function resolveMatching(filter: DeadLetterFilter, { done, batch }: Resolution, output: Output): Promise<void> {
  const { process, json } = output;
  let total = 0;
  let rest = filter;
  for (;;) {
    const { resolved, more, until } = await batch(rest);
    total += resolved;
    if (!more) break;
    // messages that fail again while this runs are left for the next call
    rest = { ...rest, until };
    if (!json) process.stdout.write(`${total} ${done} …\n`);
  }
  process.stdout.write(json ? jsonText({ [done]: total }) : `${total} ${done}.\n`);
}

async function resolveEach(ids: readonly string[], { done, one }: Resolution, output: Output): Promise<void> {
  const { process, json } = output;
  const results: { id: string; outcome: ResolveResult }[] = [];
  for (const id of ids) {
    const outcome = await one(id);
    results.push({ id, outcome });
    if (!json && outcome === 'done') process.stdout.write(`${id} ${done}.\n`);
  }
  if (json) process.stdout.write(jsonText(results));
  const faults = results.flatMap(({ id, outcome }) => (outcome === 'done' ? [] : [`${id}: ${faultOf(outcome)}.`]));
  if (faults.length > 0) throw new CommandFault(faults.join('\n'));
}

function faultOf(outcome: Exclude<ResolveResult, 'done'>): string {
  switch (outcome) {
    case 'conflict':
      return 'another replay or drop came first (show names who did it)';
    case 'not_found':
      return 'there is no dead letter with this id';
  }
}

function actor(): string {
  return `os:${login()}@${hostname()}`;
}

function login(): string {
  try {
    return userInfo().username;
  } catch {
    // the user of a container may have no entry in its passwd file
    return String(process.getuid?.() ?? 'unknown');
  }
}
