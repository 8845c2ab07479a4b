import { jsonText, tasksRoutes } from '@taskwire/contracts';
import { assign } from '../domain/assignment.ts';
import type { Change } from '../domain/change.ts';
import { distribute } from '../domain/fairness.ts';
import type { Actor } from '../domain/task.ts';
import { noPerformers } from './eligibility.ts';
import type { IdempotentRequest, OpenTask, TaskStore, WriteResult } from './ports.ts';
import type { UserLimit } from './user-limit.ts';

const shuffled = tasksRoutes.shuffleTasks.responses[200];

type Ports = { tasks: TaskStore; shuffles: UserLimit };
type Command = { actor: Actor; request: IdempotentRequest | undefined };

/**
 * Redistributes all open tasks evenly among the performers, and those of each project evenly among its contributors and leads. A task that is dealt
 * to its current assignee is left unchanged, and so are the tasks of a project without a performer.
 */
export async function shuffleTasks(
  { tasks, shuffles }: Ports,
  { actor, request }: Command,
): Promise<WriteResult<typeof shuffled>> {
  return await tasks.once(request, async (tx) => {
    // counted only here, because a repeated key gets the saved response whatever the limit
    shuffles.take(actor.id);
    await tasks.lockAssignments(tx);
    const open = await tasks.lockOpenTasks(tx);
    const performers = await tasks.lockPerformers(tx);
    if (performers.length === 0) throw noPerformers();
    const byProject = Map.groupBy(open, ({ project_id }) => project_id);
    const contributors = await tasks.lockContributors(
      tx,
      [...byProject.keys()].filter((id) => id !== null),
    );
    const moves = [...byProject].flatMap(([projectId, group]) =>
      movesOf(group, projectId === null ? performers : (contributors.get(projectId) ?? [])),
    );
    await tasks.applyChanges(tx, moves, actor.id);
    return { text: jsonText(shuffled, { open: open.length, reassigned: moves.length }) };
  });
}

function movesOf(open: readonly OpenTask[], performers: readonly string[]): [OpenTask, Change][] {
  const reason = `all open tasks were redistributed among ${performers.length} performers`;
  return [...distribute(open, performers, Math.random)]
    .filter(([task, performerId]) => task.assignee_id !== performerId)
    .map(([task, performerId]): [OpenTask, Change] => [task, assign(task, performerId, { reason })]);
}
