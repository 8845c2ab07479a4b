import type { schemas } from '@taskwire/contracts';
import type { Page, Place } from '@taskwire/postgres';
import type { z } from 'zod';

/** A notification as its recipient sees it. */
export type NotificationView = z.infer<typeof schemas.notification>;

/** The operations on a user's own notifications. No user can access another user's notifications. */
export type Inbox = {
  /** Newest first. */
  list(
    filter: {
      userId: string;
      /** true: only unread notifications; false: only read ones; undefined: all. */
      unread: boolean | undefined;
    },
    place: Place,
  ): Promise<Page<NotificationView>>;
  countUnread(userId: string): Promise<number>;
  /** Undefined when the user has no such notification. */
  read(userId: string, id: string): Promise<NotificationView | undefined>;
  /** Returns the number of notifications that were unread. */
  readAll(userId: string): Promise<number>;
};
