import type { Evidence } from '../evidence.ts';
import { broken, type Violation } from './violation.ts';

/** A client that only reads the sync feed has every task in its last state, and no deleted one. */
export function checkCopy({ world: { tasks, copiedTasks } }: Evidence): Violation[] {
  if (copiedTasks === undefined) return [];
  const copied = new Map(copiedTasks.map((task) => [task.id, task]));
  const living = tasks.filter((task) => !task.is_deleted);
  const stored = new Set(living.map(({ id }) => id));
  return broken('a copy equals the database', [
    ...living.map((task) => {
      const copy = copied.get(task.id);
      if (copy === undefined) return `the copy lacks task ${task.id}`;
      const different = compared.filter((field) => copy[field] !== task[field]);
      return (
        different.length > 0 &&
        `task ${task.id} has another ${different.join(' and ')} in the copy: ${JSON.stringify(copy)}`
      );
    }),
    ...copiedTasks.map(({ id }) => !stored.has(id) && `the copy has task ${id}, which is deleted or never existed`),
  ]);
}

const compared = ['version', 'state', 'assignee_id', 'project_id', 'updated_at'] as const;
