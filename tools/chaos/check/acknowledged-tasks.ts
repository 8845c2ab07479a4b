import type { Answer, Evidence, Operation } from '../evidence.ts';
import { reassigner } from '../workload/actors.ts';
import type { Intent } from '../workload/intent.ts';
import { everBelow, taskHistories, type TaskHistory, type TaskVersion } from './task-history.ts';
import { broken, type Violation } from './violation.ts';

type Of<K extends Intent['kind']> = Operation & { intent: Extract<Intent, { kind: K }> };

/**
 * Every acknowledged change of a task is in the task's activity log exactly once, and in its state. A change without a response is there at most once.
 */
export function checkTasks(evidence: Evidence): Violation[] {
  const histories = taskHistories(evidence);
  return [
    ...broken('acknowledged changes persist', [...histories.values()].map(storedState)),
    ...checkAnswers(evidence, histories),
    ...checkCreations(evidence),
    ...checkEffects(evidence, histories),
    ...checkClaims(evidence),
    ...checkReassignments(evidence, histories),
  ];
}

/** The stored state of a task equals the result of its activity log. */
function storedState({ task, versions }: TaskHistory): string | undefined {
  const last = versions.at(-1);
  if (last === undefined) return `task ${task.id} (${task.title}) has no activity`;
  const [stored, logged] = [task, { version: last.version, ...shown(last) }];
  const compared = ['version', 'state', 'assignee_id', 'project_id'] as const;
  if (compared.every((field) => stored[field] === logged[field])) return undefined;
  return `task ${task.id} is ${show(stored)}, but its activity log leads to ${show(logged)}`;
}

/** Every response about a task was correct for the version that it named. */
function checkAnswers({ operations }: Evidence, histories: Map<string, TaskHistory>): Violation[] {
  return operations.flatMap((operation): Violation[] => {
    const { intent, outcome } = operation;
    const isRead = intent.kind === 'read_task' || intent.kind === 'read_past';
    if (outcome !== 'acknowledged' || !('task' in intent || isRead)) return [];
    const answers = [operation.answer, ...operation.replays].filter((answer) => answer?.version !== undefined);
    const rule = isRead ? 'reads return states that existed' : 'acknowledged changes persist';
    const wrong = answers.map((answer) => answer && wrongAnswer(operation, answer, histories));
    const differing = answers.find(
      (answer) => answer?.id !== answers[0]?.id || answer?.version !== answers[0]?.version,
    );
    return [
      ...broken(rule, wrong),
      ...broken('nothing happens twice', [
        !isRead &&
          differing !== undefined &&
          `${name(operation)} returned ${show(answers[0])} and, with the same Idempotency-Key, ${show(differing)}`,
      ]),
    ];
  });
}

function wrongAnswer(operation: Operation, answer: Answer, histories: Map<string, TaskHistory>): string | undefined {
  const history = histories.get(answer.id ?? '');
  if (history === undefined) return `${name(operation)} returned task ${answer.id}, which does not exist`;
  const version = history.versions.find((one) => one.version === answer.version);
  if (version === undefined)
    return `${name(operation)} returned version ${answer.version} of task ${answer.id}, which has ${history.versions.length}`;
  const agrees =
    version.state === answer.state &&
    version.assigneeId === answer.assignee_id &&
    version.title === answer.title &&
    (answer.project_id === undefined || version.projectId === answer.project_id) &&
    version.at === answer.updated_at;
  return agrees
    ? undefined
    : `${name(operation)} returned ${show(answer)}; at that version the task was ${show(shown(version))}`;
}

/** Each acknowledged creation made exactly one task, each creation without a response at most one, and each refused creation none. */
function checkCreations({ operations, world }: Evidence): Violation[] {
  const byName = Map.groupBy(world.tasks, ({ title }) => title.split(' ')[0]);
  return operations.filter(isOf('create_task')).flatMap((operation) => {
    const count = byName.get(operation.intent.task)?.length ?? 0;
    const text = `${name(operation)}: ${operation.outcome}, and ${count} tasks result from it`;
    return [
      ...broken('acknowledged changes persist', [operation.outcome === 'acknowledged' && count === 0 && text]),
      ...broken('nothing happens twice', [count > 1 && text]),
      ...broken('refused requests have no effect', [operation.outcome === 'refused' && count > 0 && text]),
    ];
  });
}

const actions = { in_progress: 'started', completed: 'completed', cancelled: 'cancelled' } as const;

type Effect = { what: string; matches(version: TaskVersion): boolean; everyTime: boolean };

/**
 * The entry that an operation leaves in the activity log. The entry need not exist if the task was assigned to its current assignee, or restored
 * without having been deleted.
 */
function effectOf({ intent }: Operation): Effect | undefined {
  const logs = (test: (entry: TaskVersion['entries'][number]) => boolean) => (version: TaskVersion) =>
    version.version > 1 && version.entries.some(test);
  switch (intent.kind) {
    case 'transition': {
      const action = actions[intent.state];
      return { what: action, matches: logs((entry) => entry.action === action), everyTime: true };
    }
    case 'edit_task':
      return {
        what: `title ${intent.title}`,
        matches: logs(({ field, to }) => field === 'title' && to === intent.title),
        everyTime: true,
      };
    case 'delete_task':
      // a sub-task that was deleted with a task above it has a reason
      return {
        what: 'deleted',
        matches: logs(({ action, reason }) => action === 'deleted' && reason === null),
        everyTime: true,
      };
    case 'restore_task':
      return { what: 'restored', matches: logs(({ action }) => action === 'restored'), everyTime: false };
    case 'assign':
      // a restoration may assign the task again
      return {
        what: 'assigned',
        matches: (version) => logs(({ action }) => action === 'assigned')(version) && !isRestoration(version),
        everyTime: false,
      };
    default:
      return undefined;
  }
}

function isRestoration({ entries }: TaskVersion): boolean {
  return entries.some(({ action }) => action === 'restored');
}

/**
 * For each task, user and kind of change, the log has at least as many entries as there were acknowledged requests, and at most as many additional
 * ones as there were requests without a response.
 */
function checkEffects({ operations, world }: Evidence, histories: Map<string, TaskHistory>): Violation[] {
  // a task in a tree is also restored together with the other tasks of its tree
  const parents = world.tasks.flatMap(({ parent_id }) => parent_id ?? []);
  const inTree = new Set([...everBelow(world), ...parents]);
  const groups = Map.groupBy(operations, (operation) => {
    const effect = effectOf(operation);
    return effect && `${operation.subjectId} ${operation.actorId} ${effect.what}`;
  });
  groups.delete(undefined);
  return [...groups.values()].flatMap((group) => {
    const [first] = group as [Operation];
    const effect = effectOf(first)!;
    if (effect.what === 'restored' && inTree.has(first.subjectId ?? '')) return [];
    const versions = histories.get(first.subjectId ?? '')?.versions ?? [];
    const count = versions.filter((one) => one.actor === first.actorId && effect.matches(one)).length;
    const acknowledged = group.filter(({ outcome }) => outcome === 'acknowledged').length;
    const unknown = group.filter(({ outcome }) => outcome === 'unknown').length;
    const text = `task ${first.subjectId}: ${effect.what} by ${first.actorId} ${acknowledged} times acknowledged, ${unknown} times without a response, ${count} times in the activity log (${group.map(name).join(', ')})`;
    const refusedOnly = acknowledged + unknown === 0;
    return [
      ...broken('acknowledged changes persist', [effect.everyTime && count < acknowledged && text]),
      ...broken(refusedOnly ? 'refused requests have no effect' : 'nothing happens twice', [
        count > acknowledged + unknown && text,
      ]),
    ];
  });
}

/** No two requests were acknowledged with the same change. */
function checkClaims({ operations }: Evidence): Violation[] {
  const changes = operations.filter(
    ({ intent, outcome, answer }) =>
      outcome === 'acknowledged' &&
      answer?.version !== undefined &&
      (intent.kind === 'transition' || intent.kind === 'edit_task'),
  );
  const claims = Map.groupBy(changes, ({ answer }) => `${answer?.id} version ${answer?.version}`);
  return broken(
    'acknowledged changes persist',
    [...claims].map(
      ([what, group]) => group.length > 1 && `${group.map(name).join(' and ')} all returned task ${what}`,
    ),
  );
}

/** Tasks were reassigned exactly as often as responses say or, if responses are missing, at least as often. */
function checkReassignments({ operations, world }: Evidence, histories: Map<string, TaskHistory>): Violation[] {
  const reassignments = operations.filter(isOf('shuffle'));
  const reassignerId = world.users.find(({ email }) => email.startsWith(`${reassigner}@`))?.id;
  const logged = [...histories.values()]
    .flatMap(({ versions }) => versions)
    .filter(({ actor }) => actor !== null && actor === reassignerId).length;
  const acknowledged = reassignments.reduce((sum, { answer }) => sum + (answer?.reassigned ?? 0), 0);
  const open = reassignments.filter(({ outcome }) => outcome === 'unknown').length;
  const text = `${acknowledged} tasks were reassigned according to the responses, ${logged} according to the activity log; ${open} reassignments got no response`;
  return [
    ...broken('acknowledged changes persist', [logged < acknowledged && text]),
    ...broken('nothing happens twice', [open === 0 && logged > acknowledged && text]),
  ];
}

function isOf<K extends Intent['kind']>(kind: K): (operation: Operation) => operation is Of<K> {
  return (operation): operation is Of<K> => operation.intent.kind === kind;
}

function name({ n, intent }: Operation): string {
  return `request ${n} (${Object.values(intent).join(' ')})`;
}

function shown({ state, assigneeId, projectId, title, at }: TaskVersion) {
  return { state, assignee_id: assigneeId, project_id: projectId, title, updated_at: at };
}

function show(value: unknown): string {
  const { version, state, assignee_id, project_id, title, updated_at } = value as Answer;
  return JSON.stringify({ version, state, assignee_id, project_id, title, updated_at });
}
