import { isUnfinished } from './unfinished.ts';

/** SQL for whether a task waits for one that has not ended. `task` names a row of tasks; most tasks need no look-up. */
export function isBlocked(task: string): string {
  return `(${task}.is_linked AND EXISTS (
    SELECT FROM task_blockers edge JOIN tasks blocker ON blocker.id = edge.blocker_id WHERE edge.task_id = ${task}.id AND ${isUnfinished('blocker')}
  ))`;
}

/** The column `stats` of the JSON of the row `task`, after a comma. */
export const statsColumn = `, json_build_object(
    'blocked', ${isBlocked('task')},
    'open_subtasks', CASE WHEN task.is_linked
      THEN (SELECT count(*) FROM tasks child WHERE child.parent_id = task.id AND ${isUnfinished('child')}) ELSE 0 END,
    'comments', (SELECT count(*) FROM task_comments comment WHERE comment.task_id = task.id)
  ) AS stats`;
