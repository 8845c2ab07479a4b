import { events, type EventPayload, type EventType } from '@taskwire/contracts';
import { defineHandler, type Handler } from '@taskwire/inbox';
import type { AboutAccount } from '../app/notify-about-account.ts';
import type { UseCases } from './handlers.ts';
import { outcomeOf } from './outcome-of.ts';

type AccountEventType = Exclude<EventType & `auth.account.${string}`, 'auth.account.invitation_requested'>;
type ReadEvent<T extends AccountEventType> = (event: EventPayload<T>) => Omit<AboutAccount, 'userId'>;

/** Handles account events. Each one notifies the one user that it names. */
export function accountHandlers(useCases: UseCases): Handler[] {
  /** `name` distinguishes a second handler for the same event. */
  function notifyOn<T extends AccountEventType>(type: T, read: ReadEvent<T>, name: string = type): Handler {
    return defineHandler({
      type,
      name,
      schema: events[type],
      order: 'none',
      async handle(event: EventPayload<T>, { messageId }) {
        const plan = await useCases.notifyAboutAccount({ userId: event.user_id, ...read(event) }, messageId);
        return outcomeOf(plan, useCases.writeNotifications);
      },
    });
  }

  return [
    notifyOn('auth.account.verification_requested', linkOf('security.verify_email')),
    notifyOn('auth.account.password_reset_requested', linkOf('security.reset_password')),
    notifyOn('auth.account.email_change_requested', linkOf('security.confirm_email')),
    notifyOn(
      'auth.account.email_change_requested',
      () => ({ type: 'security.email_change_requested' }),
      'warn the old address',
    ),
    notifyOn('auth.account.email_changed', linkOf('security.email_changed')),
    notifyOn('auth.account.password_changed', () => ({ type: 'security.password_changed' })),
    notifyOn('auth.account.role_changed', ({ actor, role }) => ({
      type: 'security.role_changed',
      actorId: actor,
      role,
    })),
    notifyOn('auth.account.deleted', ({ actor, timestamp: deletedAt, restorable_until: until }) => ({
      type: 'security.account_deleted',
      ...{ actorId: actor, deletedAt },
      restorableUntil: until,
    })),
    notifyOn('auth.account.restored', ({ actor }) => ({ type: 'security.account_restored', actorId: actor })),
    notifyOn('auth.account.admin_added', ({ actor, admin_id: subjectId }) => ({
      type: 'security.admin_added',
      actorId: actor,
      subjectId,
    })),
  ];
}

function linkOf(type: AboutAccount['type']) {
  return ({ link_id: linkId }: { link_id: string }) => ({ type, linkId });
}
