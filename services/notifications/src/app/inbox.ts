import type { schemas } from '@taskwire/contracts';
import type { z } from 'zod';

/** A notification as its owner sees it. */
export type NotificationView = z.infer<typeof schemas.notification>;

/** Where a page of the list goes on. */
export type InboxPosition = { createdAt: string; id: string };

/** What people do with their notifications. Each is told of their own only. */
export type Inbox = {
  /** Newest first. */
  list(wanted: {
    userId: string;
    /** Only those that are unread, or only those that were read; all of them when undefined. */
    unread: boolean | undefined;
    after: InboxPosition | undefined;
    limit: number;
  }): Promise<NotificationView[]>;
  countUnread(userId: string): Promise<number>;
  /** Undefined when the person has no such notification. */
  read(userId: string, id: string): Promise<NotificationView | undefined>;
  /** How many were unread. */
  readAll(userId: string): Promise<number>;
};
