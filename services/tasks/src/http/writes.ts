import { tasksRoutes } from '@taskwire/contracts';
import { requireMatch, type HandlerOf, type IfMatch } from '@taskwire/http-server';
import type { assignTask as AssignTask } from '../app/assign-task.ts';
import type { changeTask as ChangeTask } from '../app/change-task.ts';
import type { createTask as CreateTask } from '../app/create-task.ts';
import type { deleteTask as DeleteTask } from '../app/delete-task.ts';
import type { shuffleTasks as ShuffleTasks } from '../app/shuffle-tasks.ts';
import type { transitionTask as TransitionTask } from '../app/transition-task.ts';
import { toBody, toBodyOnce } from './body.ts';
import { idempotentRequest } from './idempotent-request.ts';

export function createTask(create: ReturnType<typeof CreateTask>): HandlerOf<typeof tasksRoutes.createTask> {
  return async (asked) => {
    const request = idempotentRequest(tasksRoutes.createTask, asked);
    return { status: 201, ...toBodyOnce(await create({ actor: asked.actor, input: asked.body, request })) };
  };
}

export function changeTask(change: ReturnType<typeof ChangeTask>): HandlerOf<typeof tasksRoutes.changeTask> {
  return async (asked) => ({ status: 200, ...toBody(await change({ ...command(asked), input: asked.body })) });
}

export function deleteTask(remove: ReturnType<typeof DeleteTask>): HandlerOf<typeof tasksRoutes.deleteTask> {
  return async (asked) => {
    await remove(command(asked));
    return { status: 204 };
  };
}

export function assignTask(assign: ReturnType<typeof AssignTask>): HandlerOf<typeof tasksRoutes.assignTask> {
  return async (asked) => {
    const request = idempotentRequest(tasksRoutes.assignTask, asked);
    return { status: 200, ...toBodyOnce(await assign({ ...command(asked), input: asked.body, request })) };
  };
}

export function transitionTask(
  transition: ReturnType<typeof TransitionTask>,
): HandlerOf<typeof tasksRoutes.transitionTask> {
  return async (asked) => {
    const request = idempotentRequest(tasksRoutes.transitionTask, asked);
    return { status: 200, ...toBodyOnce(await transition({ ...command(asked), to: asked.body.state, request })) };
  };
}

export function shuffleTasks(shuffle: ReturnType<typeof ShuffleTasks>): HandlerOf<typeof tasksRoutes.shuffleTasks> {
  return async (asked) => {
    const request = idempotentRequest(tasksRoutes.shuffleTasks, asked);
    return { status: 200, ...toBodyOnce(await shuffle({ actor: asked.actor, request })) };
  };
}

function command<A extends object>(asked: { actor: A; params: { id: string }; ifMatch: IfMatch | undefined }) {
  return {
    actor: asked.actor,
    taskId: asked.params.id,
    requireVersion: (version: number) => requireMatch(asked.ifMatch, version),
  };
}
