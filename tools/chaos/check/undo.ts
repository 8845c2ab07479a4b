import type { Evidence, Operation } from '../evidence.ts';
import type { Intent } from '../workload/intent.ts';
import { broken, type Violation } from './violation.ts';

type Of<K extends Intent['kind']> = Operation & { intent: Extract<Intent, { kind: K }> };

/** Bulk requests are carried out once, and moves are durable. The checks of tasks cover restorations. */
export function checkUndo(evidence: Evidence): Violation[] {
  return [...checkBulk(evidence), ...checkMoves(evidence)];
}

/**
 * Each task of a bulk request was created once if its result says so, at most once if it has none, and not at all if it was refused. All tasks of an atomic
 * request exist, or none. A repeated request gets the same results.
 */
function checkBulk({ operations, world }: Evidence): Violation[] {
  const named = Map.groupBy(world.tasks, ({ title }) => title.split(' ')[0] ?? '');
  return operations.filter(isOf('bulk')).flatMap((operation) => {
    const { n, intent, outcome, answer, replays } = operation;
    const counts = intent.tasks.map((name) => named.get(name)?.length ?? 0);
    const text = `bulk request ${n} (${intent.tasks.join(' ')}): ${outcome} with ${answer?.statuses?.join(' ') ?? 'no results'}, made ${counts.join(' ')}`;
    const isDone = (index: number) => answer?.statuses?.[index] === 201;
    const ids = [answer, ...replays].flatMap((one) => (one?.ids === undefined ? [] : [one.ids]));
    const differ = intent.tasks.some((_, index) => new Set(ids.flatMap((all) => all[index] || [])).size > 1);
    return [
      ...broken('acknowledged changes persist', [counts.some((count, index) => isDone(index) && count === 0) && text]),
      ...broken('nothing happens twice', [
        counts.some((count) => count > 1) && text,
        differ && `${text}; it returned ${JSON.stringify(ids)} under one key`,
        intent.atomic && new Set(counts.map((count) => count > 0)).size > 1 && `${text}, although it is atomic`,
      ]),
      ...broken('refused requests have no effect', [
        counts.some((count, index) => count > 0 && isRefused(outcome, answer?.statuses?.[index])) && text,
      ]),
    ];
  });
}

function isRefused(outcome: Operation['outcome'], status: number | undefined): boolean {
  return outcome === 'refused' || (status !== undefined && status >= 400 && status < 500);
}

/** The last move of a task determines its position, unless another move overlaps it. No two tasks have the same position. */
function checkMoves({ operations, world }: Evidence): Violation[] {
  const keys = new Map(world.positions.map(({ view_id, task_id, key }) => [`${view_id} ${task_id}`, key]));
  const moves = Map.groupBy(operations.filter(isOf('move_task')), ({ subjectId }) => subjectId);
  const lasting = [...moves.values()].flatMap((ofTask) => {
    const [last, ...earlier] = ofTask.toSorted((a, b) => endOf(b) - endOf(a));
    const isLast = last?.outcome === 'acknowledged' && earlier.every((one) => isOver(one, last));
    return isLast ? [last] : [];
  });
  return [
    ...broken(
      'acknowledged changes persist',
      lasting.map(({ n, subjectId, answer, replays }) => {
        const stored = [...keys].filter(([place]) => place.endsWith(` ${subjectId}`)).map(([, key]) => key);
        const returned = [answer, ...replays].map((one) => one?.position ?? '');
        return (
          !stored.some((key) => returned.includes(key)) &&
          `move ${n} of task ${subjectId} returned ${returned.join(', ')}, and its position is ${stored.join(', ') || 'none'}`
        );
      }),
    ),
    ...broken('nothing happens twice', [
      ...[...Map.groupBy(world.positions, ({ view_id, key }) => `${view_id} ${key}`)].map(
        ([place, rows]) => rows.length > 1 && `${rows.length} tasks have the position ${place}`,
      ),
    ]),
  ];
}

const endOf = ({ attempts }: Operation) => Math.max(...attempts.map(({ ended }) => ended));

/** Whether a move had ended before another one began. A move without a response may still be carried out. */
function isOver(one: Operation, last: Operation): boolean {
  const began = Math.min(...last.attempts.map((attempt) => attempt.began));
  return endOf(one) < began && one.attempts.every(({ status }) => status !== null && status < 500);
}

function isOf<K extends Intent['kind']>(kind: K): (operation: Operation) => operation is Of<K> {
  return (operation): operation is Of<K> => operation.intent.kind === kind;
}
