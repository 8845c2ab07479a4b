/** How the performer was found among whom. */
export type Choice = {
  performer_id: string;
  /** The open tasks that the performer had. */
  open_tasks: number;
  /** How many performers had as few. */
  tied: number;
  performers: number;
};

/** Why this person, in a sentence for the activity log. */
export function explainChoice({ open_tasks, tied, performers }: Choice): string {
  if (performers === 1) return 'the only performer';
  const among = `fewest open tasks (${tied} of ${performers} performers had ${open_tasks})`;
  return tied === 1 ? among : `${among}, drawn by chance`;
}

/**
 * Deals tasks to performers, so that everybody gets as many as everybody else, save one, and who gets what is chance.
 * Both lists are used in the order of their shuffle; `random` gives numbers in [0, 1).
 */
export function deal<T>(tasks: readonly T[], performerIds: readonly string[], random: () => number): Map<T, string> {
  const seats = shuffled(performerIds, random);
  const dealt = new Map<T, string>();
  shuffled(tasks, random).forEach((task, index) => {
    const performer = seats[index % seats.length];
    if (performer !== undefined) dealt.set(task, performer);
  });
  return dealt;
}

/** Fisher and Yates: every order is as likely as any other. */
function shuffled<T>(list: readonly T[], random: () => number): T[] {
  const result = [...list];
  for (let last = result.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [result[last], result[other]] = [result[other] as T, result[last] as T];
  }
  return result;
}
