import type { Problem } from '@taskwire/errors';
import type { Tx } from '@taskwire/postgres';
import { mostNamed } from '../../domain/links/limits.ts';
import { closesCycle, hinderedBy } from '../../domain/links/related.ts';
import type { Reader } from '../../domain/projects/reader.ts';
import type { LinkStore } from './ports.ts';

type Naming = Pick<LinkStore, 'nameTasks'>;

/** The problem of a task with open blockers or open sub-tasks. Names the first of those that the reader may read. */
export async function hindered(
  links: Naming,
  tx: Tx,
  { code, ids, reader }: { code: Parameters<typeof hinderedBy>[0]; ids: readonly string[]; reader: Reader },
): Promise<Problem> {
  return hinderedBy(code, { named: await links.nameTasks(tx, ids, { reader, limit: mostNamed }), count: ids.length });
}

/** The problem of a cycle. `path`: each task waits for the next, and the last for the first. */
export async function cycle(
  links: Naming,
  tx: Tx,
  { code, path, reader }: { code: Parameters<typeof closesCycle>[0]; path: readonly string[]; reader: Reader },
): Promise<Problem> {
  return closesCycle(code, { named: await links.nameTasks(tx, path, { reader, limit: null }), count: path.length });
}
