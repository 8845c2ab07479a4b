import type { NotificationJourney } from '@taskwire/contracts';
import { readMessageJourneys } from '@taskwire/inbox';
import { isoMicros, query, type Queryable } from '@taskwire/postgres';
import type { ReadJourneys } from '../app/journeys.ts';
import { taskHandlerName } from '../app/notifications/definitions.ts';

type Planned = NotificationJourney['notifications'][number];

const selectPlanned = `
  SELECT n.event_id, n.id, n.user_id, n.type, ${isoMicros('n.created_at')} AS planned_at, coalesce(sent.deliveries, '[]') AS deliveries
  FROM notifications n
  LEFT JOIN LATERAL (
    SELECT json_agg(json_build_object(
      'id', d.id, 'channel', d.channel, 'state', d.state, 'next_attempt_at', ${isoMicros('d.next_attempt_at')}, 'attempts', coalesce(a.attempts, '[]')
    ) ORDER BY d.channel) AS deliveries
    FROM deliveries d
    LEFT JOIN LATERAL (
      SELECT json_agg(json_build_object(
        'number', number, 'started_at', ${isoMicros('started_at')}, 'handed_over_at', ${isoMicros('handed_off_at')},
        'ended_at', ${isoMicros('ended_at')}, 'outcome', outcome, 'detail', detail
      ) ORDER BY number) AS attempts
      FROM delivery_attempts WHERE delivery_id = d.id
    ) a ON true
    WHERE d.notification_id = n.id
  ) sent ON true
  WHERE n.event_id = ANY ($1::uuid[])
  ORDER BY n.id`;

export function journeysIn(db: Queryable): ReadJourneys {
  return async (taskId, place) => {
    const { items, next } = await readMessageJourneys(db, { aggregateId: taskId, handler: taskHandlerName }, place);
    const planned = await query<Planned & { event_id: string }>(db, selectPlanned, [
      items.map(({ message_id }) => message_id),
    ]);
    const byEvent = Map.groupBy(planned, ({ event_id }) => event_id);
    const withoutEvent = ({ event_id: _event, ...notification }: Planned & { event_id: string }) => notification;
    return {
      items: items.map(({ aggregate_id: aggregateId, ...message }) => ({
        ...message,
        comment_id: message.event.startsWith('tasks.comment.') ? aggregateId : null,
        notifications: (byEvent.get(message.message_id) ?? []).map(withoutEvent),
      })),
      next,
    };
  };
}
