import type { Evidence, JourneyOfTask, Operation, RecordedEvent } from '../evidence.ts';
import { firstOccurrences, label } from './event-order.ts';
import { broken, type Violation } from './violation.ts';

/** The workload, the recorder and the databases use the clock of one machine; they only read it at slightly different moments. */
const toleranceMs = 5;
const notified =
  /^tasks\.(task\.(assigned|unassigned|started|completed|cancelled|unblocked|due_soon|overdue)|comment\.(added|changed))$/;

type EventSteps = JourneyOfTask['events'][number];
type MessageSteps = JourneyOfTask['messages'][number];
type Fault = string | false | undefined;

/**
 * The journey of each sampled task has every published event of the task and of its comments, with every step, in order. The steps lie between the
 * times at which the workload sent the request and had its response, and before the event arrived in the recorder. Services' clocks are changed by
 * faults, so a step that is taken from one of them breaks the order.
 */
export function checkJourneys(evidence: Evidence): Violation[] {
  const { events, operations, world, trafficBegan } = evidence;
  const published = Map.groupBy(firstOccurrences(events), ({ task, aggregateId }) => task ?? aggregateId);
  const copies = Map.groupBy(events, ({ messageId }) => messageId);
  const missing: Fault[] = [];
  const disordered: Fault[] = [];
  const distant: Fault[] = [];
  for (const journey of world.journeys) {
    const ofTask = published.get(journey.taskId) ?? [];
    const steps = new Map(journey.events.map((one) => [one.message_id, one]));
    const messages = new Map(journey.messages.map((one) => [one.message_id, one]));
    missing.push(journey.events.length !== ofTask.length && surplus(journey, ofTask));
    for (const event of ofTask) {
      const step = steps.get(event.messageId);
      missing.push(...missingSteps(event, step, messages.get(event.messageId)));
      if (step === undefined) continue;
      disordered.push(...disorder(event, step, messages.get(event.messageId)));
      const arrivals = copies.get(event.messageId)?.flatMap(({ at }) => (at === undefined ? [] : [at])) ?? [];
      distant.push(...distance(event, step, { causes: causesOf(event, operations), arrivals, trafficBegan }));
    }
  }
  return [
    ...broken('journeys are complete', missing),
    ...broken('the steps of a journey are in order', [...disordered, instantSteps(world.journeys)]),
    ...broken('journeys agree with the workload', distant),
  ];
}

function surplus({ taskId, events }: JourneyOfTask, published: readonly RecordedEvent[]): string {
  return `the journey of task ${taskId} has ${events.length} events, and ${published.length} were published`;
}

function missingSteps(event: RecordedEvent, step: EventSteps | undefined, message: MessageSteps | undefined): Fault[] {
  if (step === undefined) return [`${label(event)} has no journey`];
  const isOfUser = event.actor !== null;
  return [
    step.state !== 'confirmed' && `${label(event)} is ${step.state}`,
    isOfUser && (step.request_id === null || step.requested_at === null) && `${label(event)} has no request`,
    (step.published_at === null || step.confirmed_at === null) && `${label(event)} was not published`,
    notified.test(event.type) && message === undefined && `${label(event)} was not consumed`,
    message !== undefined && message.state !== 'done' && `${label(event)} is ${message.state} in Notifications`,
    message !== undefined && message.published_at === null && `${label(event)} was consumed without its times`,
  ];
}

/**
 * The relay moves a time that is before the previous step up to that step. If its clock is behind, as right after a connection was lost, this happens to
 * a few events; if it follows a wrong clock, to all of them.
 */
const mostInstant = 0.05;

function instantSteps(journeys: readonly JourneyOfTask[]): Fault {
  const events = journeys.flatMap((journey) => journey.events);
  const instant = events.filter(
    ({ created_at: created, published_at: published, confirmed_at: confirmed }) =>
      created === published && published === confirmed,
  );
  return (
    instant.length > events.length * mostInstant &&
    `${instant.length} of ${events.length} events were stored, published and confirmed in the same microsecond, such as ${instant[0]!.message_id}`
  );
}

/** ISO 8601 in UTC with microseconds sorts as text. */
function disorder(event: RecordedEvent, step: EventSteps, message: MessageSteps | undefined): Fault[] {
  const inOrder = (...steps: [name: string, at: string | null][]): Fault[] => {
    const known = steps.filter((one): one is [string, string] => one[1] !== null);
    return known.map(
      ([name, at], n) =>
        n > 0 &&
        at < known[n - 1]![1] &&
        `${label(event)}: ${name} at ${at}, before ${known[n - 1]![0]} at ${known[n - 1]![1]}`,
    );
  };
  const { requested_at: requested, created_at: created, published_at: published, confirmed_at: confirmed } = step;
  const faults = inOrder(
    ['requested', requested],
    ['stored', created],
    ['published', published],
    ['confirmed', confirmed],
  );
  if (message === undefined) return faults;
  // the copy that was consumed may be an earlier attempt than the one that was confirmed
  faults.push(...inOrder(['stored', created], ['published', message.published_at], ['consumed', message.consumed_at]));
  faults.push(
    message.created_at !== null &&
      message.created_at !== created &&
      `${label(event)} was stored at ${created} and ${message.created_at}`,
  );
  for (const { planned_at: planned, deliveries } of message.notifications) {
    faults.push(...inOrder(['consumed', message.consumed_at], ['planned', planned]));
    for (const { attempts } of deliveries)
      for (const { started_at: started, handed_over_at: handedOver, ended_at: ended } of attempts)
        faults.push(
          ...inOrder(['planned', planned], ['started', started], ['handed over', handedOver], ['ended', ended]),
        );
  }
  return faults;
}

/** The requests that may have caused an event: changes of its actor to its task, or to many. The id of a created task without a response is not known. */
function causesOf({ type, actor, aggregateId, task }: RecordedEvent, operations: readonly Operation[]): Operation[] {
  return operations.filter(
    ({ intent: { kind }, actorId, subjectId, answer, outcome }) =>
      changing.has(kind) &&
      actorId === actor &&
      outcome !== 'refused' &&
      (subjectId === aggregateId ||
        (task !== undefined && subjectId === task) ||
        answer?.id === aggregateId ||
        answer?.ids?.includes(aggregateId) === true ||
        kind === 'shuffle' ||
        (elsewhere[type] ?? []).includes(kind) ||
        ((kind === 'create_task' || kind === 'bulk') && answer === undefined)),
  );
}

/** Requests about other tasks that may cause an event: the end of a blocker, and the move, deletion or restoration of a task in the same tree. */
const elsewhere: Readonly<Record<string, readonly string[]>> = {
  'tasks.task.unblocked': ['transition', 'delete_task'],
  'tasks.task.changed': ['move_to_project', 'restore_task'],
  'tasks.task.unassigned': ['delete_task'],
  'tasks.task.deleted': ['delete_task'],
  'tasks.task.restored': ['restore_task'],
  'tasks.task.assigned': ['restore_task'],
};

const changing: ReadonlySet<string> = new Set([
  ...['create_task', 'assign', 'transition', 'edit_task', 'delete_task', 'restore_task', 'bulk', 'shuffle'],
  ...['add_comment', 'change_comment', 'delete_comment', 'add_blocker', 'remove_blocker'],
  'move_to_project',
]);

type Workload = { causes: readonly Operation[]; arrivals: readonly number[]; trafficBegan: number };

/**
 * A request may have been executed at any moment between its first attempt and its last response; one of unknown outcome also later. Jobs and
 * schedules change tasks too, and are not in the record of these requests.
 */
function distance(event: RecordedEvent, step: EventSteps, { causes, arrivals, trafficBegan }: Workload): Fault[] {
  const at = (instant: string): number => msOf(instant) - trafficBegan;
  const contains = ({ attempts, outcome }: Operation, time: number): boolean => {
    // of two attempts at once, either may be the first to end
    const ended = outcome === 'unknown' ? Infinity : Math.max(...attempts.map((attempt) => attempt.ended));
    return time >= attempts[0]!.began - toleranceMs && time <= ended + toleranceMs;
  };
  const times = [step.requested_at, step.created_at].filter((time) => time !== null).map(at);
  const arrived = Math.max(...arrivals);
  const published = step.published_at === null ? undefined : at(step.published_at);
  return [
    event.actor !== null &&
      causes.length > 0 &&
      !causes.some((cause) => times.every((time) => contains(cause, time))) &&
      `${label(event)}: no request of the workload lasted from ${times.map((time) => time.toFixed(3)).join(' to ')} ms`,
    arrivals.length > 0 &&
      published !== undefined &&
      published > arrived + toleranceMs &&
      `${label(event)}: published at ${published.toFixed(3)} ms, but last received at ${arrived.toFixed(3)} ms`,
  ];
}

/**
 * The milliseconds from the moment at which the workload sent a request until the journey says that it arrived at Tasks, in ascending order: for
 * requests that were answered at their first attempt.
 */
export function requestDelays({ operations, world, trafficBegan }: Evidence): number[] {
  const began = new Map(
    operations.flatMap(({ attempts: [first, ...more], outcome, answer }) =>
      outcome === 'acknowledged' && first !== undefined && more.length === 0 && answer?.version === 1
        ? [[answer.id, first.began] as const]
        : [],
    ),
  );
  return world.journeys
    .flatMap(({ taskId, events: [first] }) => {
      const sent = began.get(taskId);
      return sent === undefined || first?.requested_at == null ? [] : [msOf(first.requested_at) - trafficBegan - sent];
    })
    .toSorted((a, b) => a - b);
}

/** Milliseconds since 1970, including the microseconds that `Date.parse` truncates. */
function msOf(instant: string): number {
  return Date.parse(instant) + Number(instant.slice(23, 26)) / 1_000;
}
