import type { ActivityRow, Evidence, Operation, TaskRow, World } from '../evidence.ts';
import type { DependencyIntent } from '../workload/intent.ts';
import { compare } from './event-order.ts';
import { broken, type Violation } from './violation.ts';

type DependencyOperation = Operation & { intent: DependencyIntent };

/**
 * Tasks wait for their blockers and sub-tasks, and each task is announced once when its last blocker has ended. The entries about a task, its
 * dependencies and its blockers are in the order of their times, because each of these changes locks the task.
 */
export function checkWaits({ operations, world }: Evidence): Violation[] {
  const tasks = new Map(world.tasks.map((task) => [task.id, task]));
  const entries = Map.groupBy(world.activity, ({ task_id }) => task_id);
  const replayed = world.tasks.map((task) => replay(task, entries));
  return [
    ...broken('blocked tasks wait', [
      ...replayed.flatMap(({ early }) => early),
      ...world.tasks.flatMap((task) => completedTooEarly(task, world, entries)),
    ]),
    ...broken(
      'unblocked tasks are announced once',
      replayed.map(({ task, wanted, announced }) => {
        return (
          wanted !== announced && `task ${task.id} was unblocked ${wanted} times, and announced ${announced} times`
        );
      }),
    ),
    ...broken('acknowledged changes persist', [
      ...replayed.map(({ task, blockers }) => differingRows(task, blockers, world)),
      ...world.tasks.map((task) => {
        const isLeft = !task.is_deleted && tasks.get(task.parent_id ?? '')?.is_deleted === true;
        return isLeft && `task ${task.id} exists, although its parent ${task.parent_id} was deleted`;
      }),
      ...lostDependencies(operations, world),
    ]),
    ...broken('tasks do not wait for each other', [cycleOf(world, tasks)]),
  ];
}

/** Replays the entries about a task and its blockers. */
function replay(task: TaskRow, entries: ReadonlyMap<string, ActivityRow[]>) {
  const own = entries.get(task.id) ?? [];
  const everBlocking = new Set(own.flatMap(({ action, to }) => (action === 'blocker_added' ? [String(to)] : [])));
  const others = [...everBlocking].flatMap((id) => entries.get(id) ?? []);
  const blockers = new Set<string>();
  const ended = new Set<string>();
  const final = new Set<string>();
  const early: string[] = [];
  const [isOpen, isWaiting] = [(id: string) => blockers.has(id) && !ended.has(id), () => [...blockers].some(isOpen)];
  let [wanted, announced] = [0, 0];
  for (const entry of [...own, ...others].toSorted((a, b) => compare(a.created_at, b.created_at) || a.seq - b.seq)) {
    const { task_id: id, action } = entry;
    const wasOpen = isOpen(id);
    if (isEnd(entry)) ended.add(id);
    if (action === 'completed' || action === 'cancelled') final.add(id);
    if (action === 'restored' && !final.has(id)) ended.delete(id);
    if (id !== task.id) {
      const isTogether = action === 'deleted' && own.some((other) => areDeletedTogether(entry, other));
      if (wasOpen && isEnd(entry) && !ended.has(task.id) && !isTogether && !isWaiting()) wanted += 1;
      continue;
    }
    if (action === 'blocker_added') blockers.add(String(entry.to));
    if (action === 'blocker_removed') blockers.delete(String(entry.from));
    if (action === 'unblocked') announced += 1;
    if ((action === 'started' || action === 'completed') && isWaiting())
      early.push(
        `task ${id} was ${action} at ${entry.created_at}, while it waited for ${[...blockers].filter(isOpen).join(', ')}`,
      );
  }
  return { task, blockers, early, wanted, announced };
}

/** Longer than the deletion of any tree in this workload takes. */
const deletionMs = 200;

/** Whether one deletion took both tasks. The entries of the tasks below its root have a reason. */
function areDeletedTogether(one: ActivityRow, other: ActivityRow): boolean {
  const isOfTree = one.reason !== null || other.reason !== null;
  const apart = Math.abs(Date.parse(one.created_at) - Date.parse(other.created_at));
  return other.action === 'deleted' && one.actor_id === other.actor_id && isOfTree && apart < deletionMs;
}

function isEnd({ action }: ActivityRow): boolean {
  return action === 'completed' || action === 'cancelled' || action === 'deleted';
}

/** Describes sub-tasks that were open when their parent was completed. */
function completedTooEarly(task: TaskRow, world: World, entries: ReadonlyMap<string, ActivityRow[]>): string[] {
  const end = entries.get(task.id)?.find(({ action }) => action === 'completed')?.created_at;
  if (end === undefined) return [];
  const open = world.tasks.filter(({ id, parent_id, created_at }) => {
    const isEnded = entries.get(id)?.some((entry) => isEnd(entry) && entry.created_at <= end);
    return parent_id === task.id && created_at <= end && isEnded !== true;
  });
  return open.map(({ id }) => `task ${task.id} was completed at ${end}, while its sub-task ${id} was open`);
}

function differingRows(task: TaskRow, blockers: ReadonlySet<string>, { blockers: rows }: World): string | false {
  const stored = rows.filter(({ task_id }) => task_id === task.id).map(({ blocker_id }) => blocker_id);
  const isSame = stored.length === blockers.size && stored.every((id) => blockers.has(id));
  return (
    !isSame && `task ${task.id} waits for ${stored.join(', ')}; its activity log leads to ${[...blockers].join(', ')}`
  );
}

/** Describes dependencies that were acknowledged and are not in the activity log. */
function lostDependencies(operations: readonly Operation[], world: World): (string | false)[] {
  const ids = new Map(world.tasks.map(({ id, title }) => [title.split(' ')[0], id]));
  const added = new Set(
    world.activity.flatMap(({ task_id, action, to }) =>
      action === 'blocker_added' ? [`${task_id} ${String(to)}`] : [],
    ),
  );
  return operations.filter(isOfDependency).map(({ n, intent, outcome, subjectId }) => {
    const isLost =
      intent.kind === 'add_blocker' && outcome === 'acknowledged' && !added.has(`${subjectId} ${ids.get(intent.by)}`);
    return (
      isLost && `request ${n} (${intent.on} waits for ${intent.by}) was acknowledged, and is not in the activity log`
    );
  });
}

function isOfDependency(operation: Operation): operation is DependencyOperation {
  return 'by' in operation.intent;
}

/** Describes a cycle of tasks that have not ended, each of which waits for the next. */
function cycleOf({ tasks: rows, blockers }: World, tasks: ReadonlyMap<string, TaskRow>): string | false {
  const isFinal = (id: string) => ['completed', 'cancelled'].includes(tasks.get(id)?.state ?? 'cancelled');
  const waits = Map.groupBy(
    [
      ...blockers.map(({ task_id: from, blocker_id: to }) => ({ from, to })),
      ...rows.flatMap(({ id: to, parent_id: from }) => (from === null ? [] : [{ from, to }])),
    ].filter(({ from, to }) => !isFinal(from) && !isFinal(to)),
    ({ from }) => from,
  );
  const finished = new Set<string>();
  const visit = (id: string, path: readonly string[]): string[] | undefined => {
    if (path.includes(id)) return [...path.slice(path.indexOf(id)), id];
    if (finished.has(id)) return undefined;
    for (const { to } of waits.get(id) ?? []) {
      const found = visit(to, [...path, id]);
      if (found !== undefined) return found;
    }
    finished.add(id);
    return undefined;
  };
  for (const id of waits.keys()) {
    const found = visit(id, []);
    if (found !== undefined) return `these tasks wait for each other: ${found.join(', ')}`;
  }
  return false;
}
