import type { Compose } from './compose.ts';
import type { NewNotification } from './ports.ts';

/** The welcome of a user whose creation no event has told of. Their id stands for the event's: a user is created once. */
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
