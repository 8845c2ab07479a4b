import { mostCountedTasks } from '@taskwire/contracts';
import { pageOf, query, type Page, type Place, type Queryable } from '@taskwire/postgres';
import type { LabelInUse } from '../../app/ports.ts';
import type { Reader } from '../../domain/projects/reader.ts';
import { isReadable } from '../projects/readable.ts';

/**
 * The labels from $1 on, without $4, each with the number of its tasks, up to a maximum. Each label takes one probe of the index; reading the whole
 * table would take longer with every labelled task. Labels are sorted by character codes, so those with the same prefix are adjacent. A reader of every
 * task reads the index alone; for others, the rows of tasks that they may not read are skipped.
 */
function listLabels(reader: Reader): string {
  const isCounted = reader === null ? 'true' : isReadable('listed', '$5');
  return `
  WITH RECURSIVE used AS (
    (SELECT label, 1 AS place FROM task_labels listed WHERE label >= $1 AND label IS DISTINCT FROM $4 AND ${isCounted} ORDER BY label LIMIT 1)
    UNION ALL
    SELECT next.label, used.place + 1 FROM used CROSS JOIN LATERAL (
      SELECT label FROM task_labels listed WHERE label > used.label AND ${isCounted} ORDER BY label LIMIT 1
    ) next WHERE used.place < $3 AND starts_with(next.label, $2)
  )
  SELECT label, (
      SELECT count(*)::integer FROM (
        SELECT FROM task_labels listed WHERE label = used.label AND ${isCounted} LIMIT ${mostCountedTasks}
      ) AS counted
    ) AS count
  FROM used WHERE starts_with(label, $2) ORDER BY label`;
}

export async function readLabels(
  db: Queryable,
  { prefix, reader }: { prefix: string; reader: Reader },
  { after, limit }: Place,
): Promise<Page<LabelInUse>> {
  const values = [after?.[0] ?? prefix, prefix, limit + 1, after?.[0] ?? null, ...(reader === null ? [] : [reader])];
  return pageOf(await query<LabelInUse>(db, listLabels(reader), values), { columns }, limit);
}

const columns = { label: { sql: 'label', type: 'text' } } as const;
