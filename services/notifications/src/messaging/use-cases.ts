import type { EventPayload } from '@taskwire/contracts';
import type { Tx } from '@taskwire/postgres';
import type { NewNotification, Plan } from '../app/ports.ts';
import type { AboutAccount } from '../app/notify-about-account.ts';
import type { NotifiedEventType } from '../app/notifications/definition.ts';

/** The use cases of the event handlers. */
export type UseCases = {
  notifyAboutTask<T extends NotifiedEventType>(
    eventType: T,
    event: EventPayload<T>,
    eventId: string,
    signal: AbortSignal,
  ): Promise<Plan>;
  notifyAboutAccount(about: AboutAccount, eventId: string): Promise<Plan>;
  planInvitation(about: { linkId: string; invitedBy: string }, eventId: string): Plan;
  /** Writes notifications, at the end of the transaction at the latest. */
  writeNotifications(tx: Tx, notifications: readonly NewNotification[]): void;
  /** Records that the creation event of a user has arrived, so that reconciliation doesn't welcome the user. */
  introduced(tx: Tx, userId: string): Promise<void>;
};
