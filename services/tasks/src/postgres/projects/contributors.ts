import type { PerformerSql } from '../performer-sql.ts';

/** A condition: whether a user may be assigned the tasks of a project. This is the only definition in SQL. */
export function isContributor(projectId: string, userId: string): string {
  return `EXISTS (SELECT FROM project_members member
      WHERE member.project_id = ${projectId} AND member.user_id = ${userId} AND member.role <> 'viewer')`;
}

/** A condition: whether a task is in a project of which its assignee is neither a contributor nor a lead. */
export function hasLeftProject(task: string): string {
  return `(${task}.project_id IS NOT NULL AND NOT ${isContributor(`${task}.project_id`, `${task}.assignee_id`)})`;
}

/** A condition: whether someone can be assigned a task. For tasks outside of projects, the subquery runs once for the statement. */
export function hasPerformer(task: string, { isPerformer }: PerformerSql): string {
  return `CASE WHEN ${task}.project_id IS NULL
      THEN EXISTS (SELECT FROM directory_users performer WHERE ${isPerformer('performer')})
      ELSE EXISTS (SELECT FROM project_members member JOIN directory_users performer ON performer.id = member.user_id
        WHERE member.project_id = ${task}.project_id AND member.role <> 'viewer' AND ${isPerformer('performer')}) END`;
}
