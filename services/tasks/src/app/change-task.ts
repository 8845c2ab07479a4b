import type { tasksRoutes } from '@taskwire/contracts';
import type { z } from 'zod';
import { edit } from '../domain/content.ts';
import { requireMay } from '../domain/permissions.ts';
import { existing, type TaskCommand } from './existing-task.ts';
import type { Document, TaskStore } from './ports.ts';

type Command = TaskCommand & { input: z.output<typeof tasksRoutes.changeTask.body> };

/** Edits the content of a task. */
export function changeTask({ tasks }: { tasks: TaskStore }) {
  return async (command: Command): Promise<Document> => {
    const { actor, input } = command;
    return await tasks.transaction(async (tx) => {
      const task = await existing(tx, command, (found) => requireMay('change', actor, found));
      return await tx.apply(task, edit(task, input), actor.id);
    });
  };
}
