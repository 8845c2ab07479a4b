import type { Evidence, InboxRow } from '../evidence.ts';
import type { Consumer } from '../schedule.ts';
import { firstOccurrences, label } from './event-order.ts';
import { broken, type Violation } from './violation.ts';

/** The events that each service handles. It ignores all others without storing anything. */
const bindings: Record<Consumer, RegExp> = {
  tasks: /^auth\.(user\.|account\.access_ended$)/,
  notifications:
    /^(auth\.(user|account)\.|tasks\.task\.(assigned|unassigned|started|completed|cancelled|due_soon|overdue)$|tasks\.comment\.(added|changed)$)/,
};

const consumers = Object.keys(bindings) as Consumer[];

/**
 * Every event is in the inbox of every service that subscribes to it, for each handler that has received any event of that type. The events of an
 * aggregate are in order, except those that the operator reordered.
 */
export function checkConsumption({ events, injections, world }: Evidence): Violation[] {
  const published = firstOccurrences(events);
  return consumers.flatMap((service) => {
    const rows = world.inbox.filter((row) => row.service === service);
    const wanted = published.filter(({ type }) => bindings[service].test(type));
    const moved = new Set(
      injections.flatMap((one) => (one.kind === 'reorder' && one.to === service ? one.messageIds : [])),
    );
    return [
      ...broken('every event is consumed', missing(service, wanted, rows)),
      ...broken('inboxes keep the order of the activity log', misplaced(service, wanted, rows, moved)),
    ];
  });
}

type Published = ReturnType<typeof firstOccurrences>;

function missing(service: Consumer, wanted: Published, rows: readonly InboxRow[]): (string | false)[] {
  const handlersOf = Map.groupBy(rows, ({ message_id }) => message_id);
  const ofType = new Map<string, Set<string>>();
  for (const { type, messageId } of wanted) {
    const names = ofType.get(type) ?? new Set(['(any)']);
    for (const { handler } of handlersOf.get(messageId) ?? []) names.add(handler).delete('(any)');
    ofType.set(type, names);
  }
  return wanted.map((event) => {
    const seen = new Set(handlersOf.get(event.messageId)?.map(({ handler }) => handler));
    const lacking = [...ofType.get(event.type)!].filter((handler) => !seen.has(handler));
    return lacking.length > 0 && `${service} has not consumed ${label(event)} (handler ${lacking.join(', ')})`;
  });
}

function misplaced(
  service: Consumer,
  wanted: Published,
  rows: readonly InboxRow[],
  moved: ReadonlySet<string>,
): (string | false)[] {
  const eventOf = new Map(wanted.map((event) => [event.messageId, event]));
  const taken = rows.flatMap(({ message_id, handler, received_at }) => {
    const event = eventOf.get(message_id);
    // users' events only say which user to fetch; their order does not matter
    const isOrdered = event?.type.startsWith('tasks.') === true && !moved.has(message_id);
    return isOrdered ? [{ handler, received_at, event }] : [];
  });
  const chains = Map.groupBy(taken, ({ handler, event }) => `${handler} ${event.aggregateId}`);
  return [...chains.values()].map((chain) => {
    const inOrder = chain.toSorted((a, b) => (a.event.timestamp < b.event.timestamp ? -1 : 1));
    const at = inOrder.findIndex(
      ({ received_at }, index) => index > 0 && received_at < inOrder[index - 1]!.received_at,
    );
    return at > 0 && `${service} took ${label(inOrder[at]!.event)} before ${label(inOrder[at - 1]!.event)}`;
  });
}
