import type { ChoiceBasis, Grounds } from './change.ts';

/** The chosen performer and the figures behind the choice. */
export type Choice = ChoiceBasis & {
  performer_id: string;
  /** The number of open tasks that the performer had. */
  open_tasks: number;
  /** The number of performers with that few open tasks, including this one. */
  tied: number;
};

/** The grounds of an assignment by this choice. `occasion` is why there was a choice at all, as the beginning of a sentence. */
export function groundsOf(choice: Choice, occasion?: string): Grounds {
  const { performers, candidates } = choice;
  const reason = assignmentReason(choice);
  return { reason: occasion === undefined ? reason : `${occasion}; ${reason}`, choice: { performers, candidates } };
}

/** The reason for the choice, as a sentence for the activity log. */
export function assignmentReason({ open_tasks, tied, performers }: Omit<Choice, 'candidates'>): string {
  if (performers === 1) return 'the only performer';
  const among = `fewest open tasks (${tied} of ${performers} performers had ${open_tasks})`;
  return tied === 1 ? among : `${among}, picked at random`;
}

/**
 * Distributes tasks among performers at random, so that the numbers of tasks per performer differ by at most one.
 * Shuffles both lists first; `random` returns numbers in [0, 1).
 */
export function distribute<T>(
  tasks: readonly T[],
  performerIds: readonly string[],
  random: () => number,
): Map<T, string> {
  const seats = shuffled(performerIds, random);
  const shares = new Map<T, string>();
  shuffled(tasks, random).forEach((task, index) => {
    const performer = seats[index % seats.length];
    if (performer !== undefined) shares.set(task, performer);
  });
  return shares;
}

/** Fisher-Yates shuffle: every order is equally likely. */
function shuffled<T>(list: readonly T[], random: () => number): T[] {
  const result = [...list];
  for (let last = result.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [result[last], result[other]] = [result[other] as T, result[last] as T];
  }
  return result;
}
