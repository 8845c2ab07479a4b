import { schemas } from '@taskwire/contracts';
import { query, type Queryable, type RetentionRule } from '@taskwire/postgres';
import type { ContentOf } from '../app/build-notification.ts';
import type { TemplateData, NotificationType } from '../app/notification-types.ts';

/** The number of notifications per batch, which bounds the duration and the locks of a statement. */
const batch = 500;

/** The condition for users whom Auth has erased: their address in the directory is empty. */
export const isErased = "is_deleted AND email = ''";

type Row = { id: string; type: NotificationType; templateData: TemplateData; placeholder: string };

/** Rewrites notifications about the actions of erased users, with the placeholder that Auth has set as their name. */
export function eraseActors(content: ContentOf): RetentionRule {
  return {
    name: 'names of erased users',
    table: 'notifications',
    keeps: 'the name of its actor until Auth has erased them',
    because: 'deleted users are erased wherever they are named',
    async run(db) {
      const rewritten = await db.transaction(async (tx) => {
        const rows = await query<Row>(tx, findOfActors, [batch, schemas.notificationTypes]);
        return await rewrite(tx, rows, content);
      });
      return { rows: rewritten.length, progress: rewritten.length === batch ? 'more' : 'idle' };
    },
    async overdueSeconds({ pool }) {
      const [row] = await query<{ overdue: number }>(pool, overdueActors, [schemas.notificationTypes]);
      return row?.overdue ?? 0;
    },
  };
}

async function rewrite(tx: Queryable, rows: readonly Row[], content: ContentOf): Promise<readonly object[]> {
  const rewritten = rows.map(({ id, type, templateData: before, placeholder }) => {
    const templateData = { ...before, actor: placeholder };
    return { id, template_data: templateData, ...(content(type, templateData) ?? { title: null, body: null }) };
  });
  return await query(tx, updateContent, [JSON.stringify(rewritten), rows.map(({ id }) => id)]);
}

const findOfActors = `
  SELECT notifications.id, notifications.type, notifications.template_data AS "templateData", erased.name AS placeholder
  FROM directory_users erased JOIN notifications ON notifications.actor_id = erased.id
  WHERE ${isErased}
    -- a newer build that runs beside this one may have types that this one has no template for
    AND notifications.type = ANY ($2)
  LIMIT $1
  FOR UPDATE OF notifications SKIP LOCKED`;

const overdueActors = `
  SELECT greatest(extract(epoch FROM clock_timestamp() - erased.updated_at), 0)::float8 AS overdue
  FROM directory_users erased JOIN notifications ON notifications.actor_id = erased.id
  WHERE ${isErased} AND notifications.type = ANY ($1)
  LIMIT 1`;

// clearing the actor prevents the row from being found again; the list of ids shows the planner that the rows are few, so that it uses the index
const updateContent = `
  UPDATE notifications SET template_data = rewritten.template_data, title = rewritten.title, body = rewritten.body, actor_id = NULL
  FROM jsonb_to_recordset($1::jsonb) AS rewritten(id uuid, template_data jsonb, title text, body text)
  WHERE notifications.id = rewritten.id AND notifications.id = ANY ($2::uuid[])
  RETURNING notifications.id`;
