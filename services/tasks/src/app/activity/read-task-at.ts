import { jsonText, schemas } from '@taskwire/contracts';
import { fieldsAt } from '../../domain/history.ts';
import { noSuchTask } from '../load-for-update.ts';
import type { Document } from '../ports.ts';
import type { ActivityReads, AskedTime } from './ports.ts';

/**
 * Reconstructs a task as it was at an instant, from its activity log. The names of users and the job of the task are the current ones.
 * @throws Problem `not_found` also if the task was created later, or was deleted at that time, or was in a project that the reader may not read.
 */
export async function readTaskAt(
  activity: ActivityReads,
  asked: AskedTime,
): Promise<Document<typeof schemas.readTask>> {
  const found = await activity.readHistory(asked);
  if (found === undefined) throw noSuchTask();
  const fields = fieldsAt(found.history);
  const { assignee_id: assigneeId } = fields;
  const assignee = assigneeId === null ? null : await activity.readPerson(assigneeId);
  return { text: jsonText(schemas.readTask, { ...found.now, ...fields, assignee }), etag: fields.version };
}
