import { deadLetterEntity } from '@taskwire/dead-letters';
import { defineEntity } from '@taskwire/postgres';
import type { NotificationView } from '../app/inbox.ts';

/** A user's notification in lists. */
export const notificationEntity = defineEntity<NotificationView>({
  table: 'notifications',
  columns: {
    id: { type: 'uuid' },
    type: { type: 'text' },
    title: { type: 'text', nullable: true },
    body: { type: 'text', nullable: true },
    task_id: { type: 'uuid', nullable: true },
    seen_at: { type: 'timestamp with time zone', nullable: true },
    read_at: { type: 'timestamp with time zone', nullable: true },
    archived_at: { type: 'timestamp with time zone', nullable: true },
    created_at: { type: 'timestamp with time zone' },
    user_id: { type: 'uuid', nullable: true, select: false },
  },
  // only deliveries and operators read these
  unmapped: ['event_id', 'comment_id', 'actor_id', 'happened_at', 'template_data', 'task_missing_since'],
});

export const entities = [notificationEntity, deadLetterEntity];
