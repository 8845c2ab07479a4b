import type { schemas } from '@taskwire/contracts';
import type { z } from 'zod';

/** A notification as its recipient sees it. */
export type NotificationView = z.infer<typeof schemas.notification>;

/** The position from which a list continues. */
export type InboxPosition = { createdAt: string; id: string };

/** The operations on a user's own notifications. No user can access those of another. */
export type Inbox = {
  /** Newest first. */
  list(wanted: {
    userId: string;
    /** true: only unread notifications; false: only read ones; undefined: all. */
    unread: boolean | undefined;
    after: InboxPosition | undefined;
    limit: number;
  }): Promise<NotificationView[]>;
  countUnread(userId: string): Promise<number>;
  /** Undefined when the user has no such notification. */
  read(userId: string, id: string): Promise<NotificationView | undefined>;
  /** Returns the number of notifications that were unread. */
  readAll(userId: string): Promise<number>;
};
