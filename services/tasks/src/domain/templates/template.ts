import { fieldProblem, problem } from '@taskwire/errors';
import { invalidField } from '../invalid-field.ts';
import { pathOfWaits, type Wait } from '../links/cycle.ts';
import { mostBlockers, mostLevels } from '../links/limits.ts';
import type { Priority } from '../task.ts';

export type TemplateTask = {
  title: string;
  description: string;
  priority: Priority;
  labels: readonly string[];
  /** An ISO 8601 duration. */
  due_in: string | null;
};

/** The task with the index 0 is `task`, that with the index n is the n-th of `subtasks`. `parent`, `blocker` and `blocked` are indexes. */
export type TemplateTasks = {
  task: TemplateTask;
  subtasks: readonly (TemplateTask & { parent: number })[];
  blocks: readonly { blocker: number; blocked: number }[];
};

/**
 * Checks that the tasks of a template can be created.
 * @throws Problem `invalid_input` that names the field, `too_many_links`, `dependency_cycle`.
 */
export function requireConsistent({ task, subtasks, blocks }: TemplateTasks): void {
  const titles = [task, ...subtasks].map(({ title }) => title);
  requireTree(subtasks);
  for (const [place, { blocker, blocked }] of blocks.entries()) {
    for (const [name, index] of Object.entries({ blocker, blocked }))
      if (index >= titles.length)
        throw invalidField(`blocks.${place}.${name}`, 'no_such_task', 'must be the index of a task of the template');
    if (blocks.findIndex((one) => one.blocker === blocker && one.blocked === blocked) !== place)
      throw invalidField(`blocks.${place}`, 'repeated', 'must not repeat another one');
  }
  for (const side of ['blocker', 'blocked'] as const)
    for (const [, group] of Map.groupBy(blocks, (one) => one[side]))
      if (group.length > mostBlockers)
        throw fieldProblem('too_many_links', {
          field: 'blocks',
          message: 'has too many pairs of one task',
          detail: `A task has at most ${mostBlockers} blockers, and blocks at most as many.`,
        });
  requireNoCycle(subtasks, blocks, titles);
}

function requireTree(subtasks: TemplateTasks['subtasks']): void {
  const levels = [1];
  for (const [place, { parent }] of subtasks.entries()) {
    const level = levels[parent];
    if (level === undefined)
      throw invalidField(`subtasks.${place}.parent`, 'no_such_task', 'must be the index of a task that comes before');
    if (level >= mostLevels)
      throw fieldProblem('too_many_links', {
        field: `subtasks.${place}.parent`,
        message: 'is at the lowest level',
        detail: `A tree of tasks has at most ${mostLevels} levels.`,
      });
    levels.push(level + 1);
  }
}

/** A task waits for its blockers and, to be completed, for its sub-tasks. */
function requireNoCycle(
  subtasks: TemplateTasks['subtasks'],
  blocks: TemplateTasks['blocks'],
  titles: readonly string[],
): void {
  const waits: Wait[] = subtasks.map(({ parent }, place) => ({ task: `${parent}`, waitsFor: `${place + 1}` }));
  for (const [place, { blocker, blocked }] of blocks.entries()) {
    const path = pathOfWaits(waits, `${blocker}`, `${blocked}`);
    if (path !== undefined) {
      const names = [...path, path[0]].map((index) => titles[Number(index)]).join(' → ');
      throw problem('dependency_cycle', `Each of these tasks would wait for the next: ${names}.`, {
        errors: [{ field: `blocks.${place}`, code: 'dependency_cycle', message: 'closes a cycle' }],
      });
    }
    waits.push({ task: `${blocked}`, waitsFor: `${blocker}` });
  }
}
