import type { Evidence, Operation, RecordedEvent } from '../evidence.ts';
import { firstOccurrences } from './event-order.ts';
import { isSuccess, projectAccess, projectIds, type ProjectAccess } from './project-access.ts';
import { everBelow, everDeleted } from './task-history.ts';
import { broken, type Violation } from './violation.ts';

/**
 * No user gets a task of a project, its past in one, changes one, or is notified of one while they certainly could not read it: in a project of which
 * they were not a member. A moved task is in the project that its move names, and so are the tasks below it.
 */
export function checkProjects(evidence: Evidence): Violation[] {
  const access = projectAccess(evidence);
  return [
    ...broken('no leak across projects', [
      ...evidence.operations.flatMap((one) => leaksOf(one, access)),
      ...leakedNotifications(evidence, access),
    ]),
    ...checkMoves(evidence),
    ...broken('a tree of tasks is in one project', dividedTrees(evidence)),
  ];
}

function leaksOf({ n, intent, outcome, actorId, subjectId, answer, attempts }: Operation, access: ProjectAccess) {
  if (outcome !== 'acknowledged' || actorId === null) return [];
  const { id, ids = [], version, versions = [], entryTimes = [] } = answer ?? {};
  const subject = { id: subjectId ?? '' };
  // a comment and a dependency name their task only in the request; who reads its past also has to be a reader now
  const tasks = [
    ...('on' in intent || 'of' in intent ? [subject] : []),
    ...('on' in intent ? [] : [{ id: id ?? '', version }]),
    ...ids.map((one, index) => ({ id: one, version: versions[index] })),
    ...entryTimes.map((at) => ({ ...subject, at })),
  ];
  const successes = attempts.filter(isSuccess);
  return tasks.map(
    (task) =>
      successes.some((during) => access.isHidden(actorId, task, during)) &&
      `operation ${n} (${intent.kind}) showed task ${task.id}${'at' in task ? ` at ${task.at}` : ''} to ${actorId}, who is outside of its project`,
  );
}

/** Longer than it takes to store a notification after its task was read. */
const storingMs = 1_000;

/** A recipient who may not read the task has a notification without a text. For a deleted task, the last known readers count. */
function leakedNotifications({ events, trafficBegan, world }: Evidence, { isHidden }: ProjectAccess) {
  const happened = new Map(firstOccurrences(events).map((event): [string, RecordedEvent] => [event.messageId, event]));
  const deleted = everDeleted(world);
  return world.notifications.map(({ id, event_id, user_id, task_id, type, created_at, is_in_app }) => {
    const event = happened.get(event_id);
    if (task_id === null || event === undefined || !is_in_app || deleted.has(task_id)) return false;
    const [began, ended] = [event.timestamp, created_at].map((at) => Date.parse(at) - trafficBegan) as [number, number];
    return (
      isHidden(user_id, { id: task_id }, { began, ended: ended + storingMs }) &&
      `notification ${id} (${type}) shows task ${task_id} to ${user_id}, who is outside of its project`
    );
  });
}

type Move = Operation & { intent: { kind: 'move_to_project'; into: string | null } };

/** Each acknowledged move led to its project, and no move has more entries in the activity log than requests. A sub-task is also moved with others. */
function checkMoves({ operations, world }: Evidence): Violation[] {
  const projects = projectIds(operations);
  const targetOf = ({ intent: { into } }: Move) => (into === null ? null : (projects.get(into) ?? null));
  const moves = operations.filter(isMove);
  const below = everBelow(world);
  const logged = Map.groupBy(
    world.activity.filter(({ field }) => field === 'project_id'),
    ({ task_id, actor_id, to }) => `${task_id} ${actor_id} ${String(to)}`,
  );
  const groups = Map.groupBy(
    moves.filter(({ subjectId }) => !below.has(subjectId ?? '')),
    (move) => `${move.subjectId} ${move.actorId} ${targetOf(move)}`,
  );
  return [
    ...broken(
      'acknowledged changes persist',
      moves.map((move) => {
        const { n, subjectId, outcome, answer } = move;
        const isWrong = outcome === 'acknowledged' && (answer?.project_id ?? null) !== targetOf(move);
        return isWrong && `move ${n} of task ${subjectId} to project ${targetOf(move)} returned ${answer?.project_id}`;
      }),
    ),
    ...[...groups].flatMap(([key, group]) => {
      const possible = group.filter(({ outcome }) => outcome !== 'refused').length;
      const count = logged.get(key)?.length ?? 0;
      const text = `task, actor and project ${key}: ${count} moves in the activity log, ${possible} requests that were not refused`;
      return broken(possible === 0 ? 'refused requests have no effect' : 'nothing happens twice', [
        count > possible && text,
      ]);
    }),
  ];
}

function dividedTrees({ world: { tasks } }: Evidence): (string | false)[] {
  const byId = new Map(tasks.map((task) => [task.id, task]));
  return tasks.map(({ id, is_deleted, parent_id, project_id }) => {
    const parent = byId.get(parent_id ?? '');
    if (is_deleted || parent === undefined || parent.project_id === project_id) return false;
    return `task ${id} is in project ${project_id}, and the task ${parent.id} above it in ${parent.project_id}`;
  });
}

function isMove(operation: Operation): operation is Move {
  return operation.intent.kind === 'move_to_project';
}
