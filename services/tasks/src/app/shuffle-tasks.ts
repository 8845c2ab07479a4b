import { assign } from '../domain/assignment.ts';
import type { Change } from '../domain/change.ts';
import { deal } from '../domain/fairness.ts';
import type { Person } from '../domain/task.ts';
import { noPerformers } from './performers.ts';
import type { Answer, IdempotentRequest, OpenTask, TaskStore } from './ports.ts';
import type { UserLimit } from './user-limit.ts';

type Command = { actor: Person; request: IdempotentRequest | undefined };

/** Redistributes all open tasks evenly among the performers. A task dealt to its current assignee is left unchanged. */
export function shuffleTasks({ tasks, shuffles }: { tasks: TaskStore; shuffles: UserLimit }) {
  return async ({ actor, request }: Command): Promise<Answer> => {
    shuffles.take(actor.id);
    return await tasks.once(request, async (tx) => {
      await tx.takeTurn();
      const open = await tx.lockOpen();
      const performers = await tx.lockPerformers();
      if (performers.length === 0) throw noPerformers();
      const reason = `all open tasks were dealt anew to ${performers.length} performers`;
      const moves = [...deal(open, performers, Math.random)]
        .filter(([task, performerId]) => task.assignee_id !== performerId)
        .map(([task, performerId]): [OpenTask, Change] => [task, assign(task, performerId, reason)]);
      await tx.applyAll(moves, actor.id);
      return { text: JSON.stringify({ open: open.length, reassigned: moves.length }) };
    });
  };
}
