import { mostCountedTasks } from '@taskwire/contracts';
import { pageOf, query, type Page, type Place, type Queryable } from '@taskwire/postgres';
import type { LabelInUse } from '../../app/ports.ts';

/**
 * The labels from $1 on, without $4, each with the number of its tasks, up to a maximum. Each label takes one probe of the index; reading the whole
 * table would take longer with every labelled task. Labels are sorted by character codes, so those with the same prefix are adjacent.
 */
const listLabels = `
  WITH RECURSIVE used AS (
    (SELECT label, 1 AS place FROM task_labels WHERE label >= $1 AND label IS DISTINCT FROM $4 ORDER BY label LIMIT 1)
    UNION ALL
    SELECT next.label, used.place + 1 FROM used CROSS JOIN LATERAL (
      SELECT label FROM task_labels WHERE label > used.label ORDER BY label LIMIT 1
    ) next WHERE used.place < $3 AND starts_with(next.label, $2)
  )
  SELECT label, (
      SELECT count(*)::integer FROM (SELECT FROM task_labels WHERE label = used.label LIMIT ${mostCountedTasks}) AS counted
    ) AS count
  FROM used WHERE starts_with(label, $2) ORDER BY label`;

export async function readLabels(db: Queryable, prefix: string, { after, limit }: Place): Promise<Page<LabelInUse>> {
  return pageOf(
    await query<LabelInUse>(db, listLabels, [after?.[0] ?? prefix, prefix, limit + 1, after?.[0] ?? null]),
    { columns },
    limit,
  );
}

const columns = { label: { sql: 'label', type: 'text' } } as const;
