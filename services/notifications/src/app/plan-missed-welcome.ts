import type { BuildNotification } from './build-notification.ts';
import type { NewNotification } from './ports.ts';

/**
 * Creates the welcome of a user whose creation event never arrived. The user's id replaces the event's id, since a user
 * is created only once.
 */
export function planMissedWelcome({ buildNotification }: { buildNotification: BuildNotification }) {
  return ({ id, name }: { id: string; name: string }): NewNotification =>
    buildNotification({
      eventId: id,
      userId: id,
      type: 'user.welcome',
      actorId: null,
      templateData: { task: null, actor: null, recipient: name },
    });
}
