import { pathOfWaits, type Wait } from '../../src/domain/links/cycle.ts';
import { mostLevels } from '../../src/domain/links/limits.ts';

/** A step of a user. Tasks are given by their index. */
export type GraphStep =
  | { kind: 'block' | 'unblock'; task: number; other: number }
  /** A parent that is the task itself stands for none. */
  | { kind: 'place'; task: number; other: number }
  | { kind: 'start' | 'complete' | 'cancel' | 'delete'; task: number };

type Modelled = {
  state: 'assigned' | 'in_progress' | 'completed' | 'cancelled';
  parent: number | null;
  blockers: Set<number>;
  isDeleted: boolean;
  unblocked: number;
};

/** A second, simplest possible statement of the rules of sub-tasks and dependencies. */
export function graphModel(count: number) {
  const tasks = Array.from({ length: count }, (): Modelled => ({
    state: 'assigned',
    parent: null,
    blockers: new Set(),
    isDeleted: false,
    unblocked: 0,
  }));
  const at = (place: number) => tasks[place]!;
  const places = tasks.map((_, place) => place);
  const hasEnded = (place: number) => at(place).state === 'completed' || at(place).state === 'cancelled';
  const isUnfinished = (place: number) => !at(place).isDeleted && !hasEnded(place);
  const childrenOf = (place: number) => places.filter((one) => at(one).parent === place);
  const isBlocked = (place: number) => [...at(place).blockers].some(isUnfinished);
  const levelsBelow = (place: number): number => 1 + Math.max(0, ...childrenOf(place).map(levelsBelow));
  const above = (place: number | null): number[] => (place === null ? [] : [place, ...above(at(place).parent)]);

  /** Whether one task waits for another, directly or indirectly. A task in a final state waits for nothing; a deleted one may be restored. */
  function waitsFor(from: number, to: number): boolean {
    const waits = places.flatMap((place) =>
      [...at(place).blockers, ...childrenOf(place)]
        .filter((other) => !hasEnded(other))
        .map((other): Wait => ({ task: String(place), waitsFor: String(other) })),
    );
    return !hasEnded(from) && pathOfWaits(waits, String(from), String(to)) !== undefined;
  }

  /** Ends tasks together, and counts whom that unblocks. */
  function end(ended: readonly number[], change: (task: Modelled) => void): void {
    const before = places.filter(isBlocked);
    for (const place of ended) change(at(place));
    for (const place of before) if (isUnfinished(place) && !isBlocked(place)) at(place).unblocked += 1;
  }

  function block(task: number, other: number): string {
    if (at(task).isDeleted || at(other).isDeleted) return 'not_found';
    if (hasEnded(task)) return 'illegal_transition';
    if (at(task).blockers.has(other)) return 'done';
    if (task === other || waitsFor(other, task)) return 'dependency_cycle';
    at(task).blockers.add(other);
    return 'done';
  }

  function place(task: number, parent: number | null): string {
    if (at(task).isDeleted) return 'not_found';
    if (parent !== null && parent !== at(task).parent) {
      if (at(parent).isDeleted) return 'unknown_parent';
      if (hasEnded(parent)) return 'illegal_transition';
      if (above(parent).includes(task)) return 'task_cycle';
      if (above(parent).length + levelsBelow(task) > mostLevels) return 'too_many_links';
      if (waitsFor(task, parent)) return 'dependency_cycle';
    }
    at(task).parent = parent;
    return 'done';
  }

  function move(task: number, to: Modelled['state']): string {
    const { state, isDeleted } = at(task);
    if (isDeleted) return 'not_found';
    const from = { in_progress: ['assigned'], completed: ['in_progress'], cancelled: ['assigned', 'in_progress'] };
    if (to === 'assigned' || !from[to].includes(state)) return 'illegal_transition';
    if (to !== 'cancelled' && isBlocked(task)) return 'task_blocked';
    if (to === 'completed' && childrenOf(task).some(isUnfinished)) return 'open_subtasks';
    if (to === 'in_progress') at(task).state = to;
    else end([task], (one) => (one.state = to));
    return 'done';
  }

  function remove(task: number): string {
    if (at(task).isDeleted) return 'not_found';
    const below = (one: number): number[] => [
      one,
      ...childrenOf(one)
        .filter((child) => !at(child).isDeleted)
        .flatMap(below),
    ];
    end(below(task), (one) => (one.isDeleted = true));
    return 'done';
  }

  return {
    /** Takes a step, and returns the code of the problem that refuses it, or `done`. */
    take(step: GraphStep): string {
      switch (step.kind) {
        case 'block':
          return block(step.task, step.other);
        case 'unblock':
          if (at(step.task).isDeleted) return 'not_found';
          at(step.task).blockers.delete(step.other);
          return 'done';
        case 'place':
          return place(step.task, step.other === step.task ? null : step.other);
        case 'start':
          return move(step.task, 'in_progress');
        case 'complete':
          return move(step.task, 'completed');
        case 'cancel':
          return move(step.task, 'cancelled');
        case 'delete':
          return remove(step.task);
      }
    },
    /** Each task as a client sees it; null for a deleted task. */
    seen: () =>
      places.map((one) => {
        if (at(one).isDeleted) return null;
        const open = childrenOf(one).filter(isUnfinished).length;
        return {
          state: at(one).state,
          parent: at(one).parent,
          blocked: isBlocked(one),
          open,
          unblocked: at(one).unblocked,
        };
      }),
  };
}
