import type { tasksRoutes } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import type { Tx } from '@taskwire/postgres';
import type { z } from 'zod';
import { edit } from '../domain/content.ts';
import { mostDeleted } from '../domain/links/limits.ts';
import { otherProject } from '../domain/links/parents.ts';
import { authorize } from '../domain/permissions.ts';
import { readerOf } from '../domain/projects/reader.ts';
import type { ActedTask } from '../domain/task.ts';
import { placeTask } from './links/place.ts';
import type { LinkStore } from './links/ports.ts';
import { loadForUpdate, type TaskCommand } from './load-for-update.ts';
import type { Document, TaskStore } from './ports.ts';
import { enterProject, type Places } from './projects/place-in-project.ts';

type Ports = Places & { tasks: TaskStore; wakeReassigner: () => void };
type Command = TaskCommand & { input: z.output<typeof tasksRoutes.changeTask.body> };

/** Edits the content of a task, and moves it to another parent or project. */
export async function changeTask(ports: Ports, command: Command): Promise<Document> {
  const { tasks } = ports;
  const { actor, input } = command;
  return await tasks.transaction(async (tx) => {
    if (input.parent_id !== undefined || input.project_id !== undefined) return await changePlace(ports, tx, command);
    const task = await loadForUpdate(tasks, tx, command, (found) => authorize('change', actor, found));
    return await tasks.applyChange(tx, task, edit(task, input), actor.id);
  });
}

/**
 * Locks a task with its future parent, if any, and checks that it may be moved there. A task that moves to another project takes its sub-tasks
 * along. If its assignee is not a contributor of that project, the task is then reassigned, as it is when an assignee leaves a project.
 */
async function changePlace(ports: Ports, tx: Tx, command: Command): Promise<Document> {
  const { tasks, links, wakeReassigner } = ports;
  const { actor, taskId, input } = command;
  const { parent_id: parentId, project_id: projectId } = input;
  await links.lockGraph(tx);
  const subtree = projectId === undefined ? [] : await listMoved(links, tx, taskId);
  const ids = new Set([taskId, ...subtree, ...(typeof parentId === 'string' ? [parentId] : [])]);
  const locked = await links.lockTasks(tx, [...ids], readerOf(actor));
  const lockTask = async () => locked.get(taskId);
  const task = await loadForUpdate({ lockTask }, tx, command, (found) => authorize('change', actor, found));

  const target = projectId === undefined ? task.project_id : projectId;
  const isMoved = target !== task.project_id;
  if (isMoved) await authorizeMove(ports, tx, { command, task, target });
  if (typeof parentId === 'string' && parentId !== task.parent_id)
    await placeTask(links, tx, actor, { task: { ...task, project_id: target }, parent: locked.get(parentId) });
  else if (isMoved && parentId !== null && task.parent_id !== null) throw otherProject();

  const changed = await tasks.applyChange(tx, task, edit(task, input), actor.id);
  if (!isMoved) return changed;
  const below = subtree.flatMap((id) => (id === taskId ? [] : (locked.get(id) ?? [])));
  const changes = below.map((one) => [one, edit(one, { project_id: target })] as const);
  await tasks.applyChanges(tx, changes, actor.id);
  tx.afterCommit(wakeReassigner);
  return changed;
}

async function listMoved(links: LinkStore, tx: Tx, taskId: string): Promise<string[]> {
  const ids = await links.listSubtree(tx, taskId, mostDeleted + 1);
  if (ids.length <= mostDeleted) return ids;
  throw problem(
    'subtree_too_large',
    `At most ${mostDeleted} tasks are moved at once. Move some of its sub-tasks first.`,
  );
}

type Move = { command: Command; task: ActedTask; target: string | null };

/** Requires permission on both sides. @throws what `enterProject` throws. */
async function authorizeMove({ projects }: Ports, tx: Tx, { command: { actor }, task, target }: Move): Promise<void> {
  authorize('leave', actor, task);
  await enterProject(projects, tx, { actor, projectId: target });
}
