const priorities = ['low', 'normal', 'high', 'urgent'];

/** SQL for the rank of a task's priority, from 1 (low) to 4. The index on it has this expression. */
export function priorityRank(task: string): string {
  return `array_position(ARRAY['low', 'normal', 'high', 'urgent'], ${task}.priority)`;
}

/** The rank of a priority. */
export function rankOf(priority: string): number {
  return priorities.indexOf(priority) + 1;
}
