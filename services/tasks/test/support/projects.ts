import { query } from '@taskwire/postgres';
import type { TasksHarness } from './tasks-harness.ts';

type ProjectRole = 'lead' | 'contributor' | 'viewer';

/** Stores a project with these members, by user id. */
export async function insertProject(
  { database }: TasksHarness,
  members: Readonly<Record<string, ProjectRole>>,
): Promise<string> {
  const { pool } = database.db;
  const [project] = await query<{ id: string; creator_id: string }>(
    pool,
    "INSERT INTO projects (name, description, creator_id) VALUES ('Garden', '', gen_random_uuid()) RETURNING id",
  );
  const id = project?.id ?? '';
  for (const [userId, role] of Object.entries(members))
    await query(pool, 'INSERT INTO project_members VALUES ($1, $2, $3)', [id, userId, role]);
  return id;
}

/** Moves a task into a project, or out of all projects. */
export async function moveTo({ database }: TasksHarness, taskId: string, projectId: string | null): Promise<void> {
  await query(database.db.pool, 'UPDATE tasks SET project_id = $2 WHERE id = $1', [taskId, projectId]);
}
