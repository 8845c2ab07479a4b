import { query, type Queryable } from '@taskwire/postgres';
import { isReadable, isReadableProject } from './readable.ts';

/** Whether the user $1 may not read one of the tasks and projects with these ids. A task that was removed permanently hides nothing. */
const anyHidden = `
  SELECT FROM (SELECT) AS one
  WHERE NOT EXISTS (SELECT FROM directory_users WHERE id = $1 AND role IN ('admin', 'manager'))
    AND (EXISTS (SELECT FROM tasks task WHERE task.id = ANY ($2::uuid[]) AND NOT ${isReadable('task', '$1')})
      OR EXISTS (SELECT FROM projects project WHERE project.id = ANY ($2::uuid[]) AND NOT ${isReadableProject('project', '$1')}))`;

const idFields = new Set(['id', 'task_id', 'project_id']);
const uuid = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;

/** Services store their keys under an id of version 8, which no user has. What they may read of jobs does not depend on projects. */
const ofService = /^.{14}8/;

/**
 * Whether a saved response shows a task or a project that its reader may no longer read. The ids are taken from the response itself, so the check
 * covers every operation.
 */
export async function showsHidden(db: Queryable, readerId: string, response: string | null): Promise<boolean> {
  // an operation of a bulk request may have no response body
  if (response === null || response === '' || ofService.test(readerId)) return false;
  const ids = new Set<string>();
  JSON.parse(response, (field, value: unknown) => {
    if (idFields.has(field) && typeof value === 'string' && uuid.test(value)) ids.add(value);
    return value;
  });
  return ids.size > 0 && (await query(db, anyHidden, [readerId, [...ids]])).length > 0;
}
