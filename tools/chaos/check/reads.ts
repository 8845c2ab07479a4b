import type { Evidence } from '../evidence.ts';
import { broken, type Violation } from './violation.ts';

type Seen = { n: number; began: number; ended: number; version: number };

/**
 * Once a response has returned a version of a task, no later request gets an older one, because tasks are read from the database to which they are
 * written.
 */
export function checkReads({ operations }: Evidence): Violation[] {
  const seen = operations.flatMap(({ n, intent, outcome, answer, attempts }) => {
    // if two attempts were concurrent, the other one may have been refused earlier
    const answered = attempts.find(({ status }) => status !== null && status >= 200 && status < 300);
    if (outcome !== 'acknowledged' || answer?.version === undefined || answered === undefined) return [];
    if (!('task' in intent)) return [];
    // a repeated request gets the response of its first attempt, which may predate the other response
    const began = attempts.length === 1 ? answered.began : Infinity;
    return [{ task: answer.id, n, began, ended: answered.ended, version: answer.version }];
  });
  return [...Map.groupBy(seen, ({ task }) => task)].flatMap(([task, answers]) =>
    broken(
      'reads return states that existed',
      staleAnswers(answers).map((text) => `task ${task}: ${text}`),
    ),
  );
}

function staleAnswers(answers: readonly Seen[]): string[] {
  const byEnd = answers.toSorted((a, b) => a.ended - b.ended);
  const stale: string[] = [];
  let next = 0;
  let newest: Seen | undefined;
  for (const asked of answers.filter(({ began }) => began !== Infinity).toSorted((a, b) => a.began - b.began)) {
    for (let ended = byEnd[next]; ended !== undefined && ended.ended < asked.began; ended = byEnd[++next]) {
      if (newest === undefined || ended.version > newest.version) newest = ended;
    }
    if (newest !== undefined && asked.version < newest.version)
      stale.push(
        `request ${asked.n} returned version ${asked.version} after request ${newest.n} had returned ${newest.version}`,
      );
  }
  return stale;
}
