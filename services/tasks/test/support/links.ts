import { expect } from 'chai';
import { schemas } from '@taskwire/contracts';
import type { z } from 'zod';
import type { Answer, Task } from './api.ts';
import type { Person, TasksHarness } from './tasks-harness.ts';

type Problem = z.output<typeof schemas.problem>;
type Reference = { id: string };

/** Links tasks and moves them, as people. */
export function linkTools(harness: TasksHarness) {
  const at = ({ token }: Person, { id }: Reference) => ({ token, params: { id }, headers: { 'if-match': '*' } });
  return {
    async subtask(person: Person, parent: Reference, body: Record<string, unknown> = {}): Promise<Task> {
      return await harness.createTask(person, { title: 'Buy paint', parent_id: parent.id, ...body });
    },
    place: async (person: Person, task: Reference, parent: Reference | null): Promise<Answer> =>
      await harness.call('changeTask', { ...at(person, task), body: { parent_id: parent?.id ?? null } }),
    block: async (person: Person, task: Reference, blocker: Reference): Promise<Answer> =>
      await harness.call('addBlocker', { token: person.token, params: { id: task.id, other_id: blocker.id } }),
    unblock: async (person: Person, task: Reference, blocker: Reference): Promise<Answer> =>
      await harness.call('removeBlocker', { token: person.token, params: { id: task.id, other_id: blocker.id } }),
    move: async (person: Person, task: Reference, state: string, more: object = {}): Promise<Answer> =>
      await harness.call('transitionTask', { token: person.token, params: { id: task.id }, body: { state, ...more } }),
    remove: async (person: Person, task: Reference): Promise<Answer> =>
      await harness.call('deleteTask', at(person, task)),
  };
}

/** Expects a problem with this code, and returns it. */
export function expectProblem(answer: Answer, code: string): Problem {
  expect(answer.body, JSON.stringify(answer.body)).to.include({ code });
  return answer.body as Problem;
}

/** Expects a response without a body. */
export function expectDone(answer: Answer): void {
  expect(answer.status, JSON.stringify(answer.body)).to.equal(204);
}

export const idsOf = (tasks: readonly Reference[] | undefined) => tasks?.map(({ id }) => id);
