import type { CopiedTask, Evidence, TaskRow, World } from '../evidence.ts';
import { follower } from '../workload/actors.ts';
import { broken, type Violation } from './violation.ts';

/** A client that only reads the sync feed has every task that its user may read, in its last state, and no other one. */
export function checkCopy({ world }: Evidence): Violation[] {
  const { tasks, copiedTasks, memberCopy } = world;
  const living = tasks.filter((task) => !task.is_deleted);
  const readable = living.filter(isReadableTo(follower, world));
  return broken('a copy equals the database', [
    ...(copiedTasks === undefined ? [] : differences('the copy', copiedTasks, living)),
    ...(memberCopy === undefined ? [] : differences('the copy of a member', memberCopy.tasks, readable)),
  ]);
}

/** The condition that a member may read a task: it is in no project, or in one of theirs. */
function isReadableTo(name: string, { users, members }: World): (task: TaskRow) => boolean {
  const id = users.find(({ email }) => email.startsWith(`${name}@`))?.id;
  const own = new Set(members.flatMap((member) => (member.user_id === id ? [member.project_id] : [])));
  return ({ project_id }) => project_id === null || own.has(project_id);
}

function differences(copy: string, copiedTasks: readonly CopiedTask[], wanted: readonly TaskRow[]): (string | false)[] {
  const copied = new Map(copiedTasks.map((task) => [task.id, task]));
  const ids = new Set(wanted.map(({ id }) => id));
  return [
    ...wanted.map((task) => {
      const held = copied.get(task.id);
      if (held === undefined) return `${copy} lacks task ${task.id}`;
      const different = compared.filter((field) => held[field] !== task[field]);
      return (
        different.length > 0 &&
        `task ${task.id} has another ${different.join(' and ')} in ${copy}: ${JSON.stringify(held)}`
      );
    }),
    ...copiedTasks.map(
      ({ id, project_id }) =>
        !ids.has(id) &&
        `${copy} has task ${id} (project ${project_id}), which is deleted, not readable, or never existed`,
    ),
  ];
}

const compared = ['version', 'state', 'assignee_id', 'project_id', 'updated_at'] as const;
