/** SQL for whether a task still blocks others, and hinders the completion of its parent. `task` names a row of tasks. */
export function isUnfinished(task: string): string {
  return `(${task}.deleted_at IS NULL AND ${hasNotEnded(task)})`;
}

/** SQL for whether the state of a task is not final. It is the condition of an index. */
export function hasNotEnded(task: string): string {
  return `${task}.state NOT IN ('completed', 'cancelled')`;
}
