import type { Taskwire } from '@taskwire/client';

type Page<Operation extends (taskId: string) => PromiseLike<{ data: unknown[] }>> = Awaited<
  ReturnType<Operation>
>['data'];

/** The part of a journey that Tasks returns, and the part that Notifications returns. */
export type Journey = {
  events: Page<Taskwire['journeys']['task']>;
  messages: Page<Taskwire['journeys']['notifications']>;
};

type Step = { at: string; what: string; detail: string };

/** Whether every event has been confirmed and handled, and every attempt to deliver a notification has ended. */
export function hasArrived({ events, messages }: Journey): boolean {
  const deliveries = messages.flatMap(({ notifications }) => notifications.flatMap((one) => one.deliveries));
  return (
    events.every(({ state }) => state === 'confirmed') &&
    messages.every(({ state }) => state === 'done') &&
    deliveries.every(({ next_attempt_at: next }) => next === null)
  );
}

/** Returns the steps of a journey as lines, in order of time, with the milliseconds since the first step. */
export function journeyLines(journey: Journey): string[] {
  const steps = stepsOf(journey).toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  const start = steps[0]?.at;
  return steps.map(({ at, what, detail }) => {
    const ms = start === undefined ? 0 : (microsOf(at) - microsOf(start)) / 1_000;
    return `${at.slice(11)}  ${`+${ms.toFixed(3)} ms`.padStart(14)}  ${what.padEnd(12)}  ${detail}`;
  });
}

function stepsOf({ events, messages }: Journey): Step[] {
  const requests = new Map(
    events.flatMap(({ request_id: id, requested_at: at }) =>
      id !== null && at !== null ? [[id, { at, what: 'requested', detail: `request ${id}` }] as const] : [],
    ),
  );
  const step = (at: string | null, what: string, detail: string): Step[] => (at === null ? [] : [{ at, what, detail }]);
  return [
    ...requests.values(),
    ...events.flatMap((one) => [
      ...step(one.created_at, 'stored', `${one.event}  ${one.message_id}`),
      ...step(one.published_at, 'published', one.event),
      ...step(one.confirmed_at, 'confirmed', one.event),
    ]),
    ...messages.flatMap(({ consumed_at: consumed, event, notifications }) => [
      ...step(consumed, 'consumed', event),
      ...notifications.flatMap((one) => [
        ...step(one.planned_at, 'planned', `${one.type} for user ${one.user_id}`),
        ...one.deliveries.flatMap(({ channel, attempts }) =>
          attempts.flatMap(({ handed_over_at: handedOver, ended_at: ended, outcome }) => [
            ...step(handedOver, 'handed over', `${one.type} by ${channel}`),
            ...step(ended, outcome ?? '', `${one.type} by ${channel}`),
          ]),
        ),
      ]),
    ]),
  ];
}

/** `Date.parse` keeps only milliseconds. */
function microsOf(instant: string): number {
  return Date.parse(instant) * 1_000 + Number(instant.slice(23, 26));
}
