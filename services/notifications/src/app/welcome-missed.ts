import type { Compose } from './compose.ts';
import type { NewNotification } from './ports.ts';

/**
 * Creates the welcome of a user whose creation event never arrived. The user's id replaces the event's id, since a user
 * is created only once.
 */
export function welcomeMissed({ compose }: { compose: Compose }) {
  return ({ id, name }: { id: string; name: string }): NewNotification =>
    compose({
      eventId: id,
      userId: id,
      type: 'user.welcome',
      actorId: null,
      facts: { task: null, actor: null, recipient: name },
    });
}
