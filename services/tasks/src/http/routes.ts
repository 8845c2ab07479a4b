import { tasksRoutes } from '@taskwire/contracts';
import { bind, type BoundRoute } from '@taskwire/http-server';
import { bindDeadLetters, type DeadLetters } from '@taskwire/dead-letters';
import { assignTask } from '../app/assign-task.ts';
import { changeTask } from '../app/change-task.ts';
import { createTask } from '../app/create-task.ts';
import { deleteTask } from '../app/delete-task.ts';
import type { People, TaskStore } from '../app/ports.ts';
import { shuffleTasks } from '../app/shuffle-tasks.ts';
import { transitionTask } from '../app/transition-task.ts';
import type { UserLimit } from '../app/user-limit.ts';
import * as read from './reads.ts';
import * as write from './writes.ts';

/** The HTTP API of Tasks. */
export function routes(ports: {
  tasks: TaskStore;
  people: People;
  deadLetters: DeadLetters;
  /** Limits how often a user may create a task. */
  creations: UserLimit;
  /** Limits how often a user may shuffle. */
  shuffles: UserLimit;
}): BoundRoute[] {
  return [
    bind(tasksRoutes.listTasks, read.listTasks(ports.tasks)),
    bind(tasksRoutes.createTask, write.createTask(createTask(ports))),
    bind(tasksRoutes.getTask, read.getTask(ports.tasks)),
    bind(tasksRoutes.changeTask, write.changeTask(changeTask(ports))),
    bind(tasksRoutes.deleteTask, write.deleteTask(deleteTask(ports))),
    bind(tasksRoutes.assignTask, write.assignTask(assignTask(ports))),
    bind(tasksRoutes.transitionTask, write.transitionTask(transitionTask(ports))),
    bind(tasksRoutes.listActivity, read.listActivity(ports.tasks)),
    bind(tasksRoutes.shuffleTasks, write.shuffleTasks(shuffleTasks(ports))),
    bind(tasksRoutes.getInternalTask, read.getInternalTask(ports.tasks)),
    ...bindDeadLetters(tasksRoutes, ports.deadLetters),
  ];
}
