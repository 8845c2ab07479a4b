import { sends, type Channel } from './channel.ts';
import type { Facts, NotificationType } from './notification-types.ts';
import type { NewNotification } from './ports.ts';
import { classes } from './rules.ts';

/** The text of a notification in the app; null for a type that isn't shown there. */
export type Words = (type: NotificationType, facts: Facts) => NewNotification['words'];

export type Compose = (
  about: Pick<NewNotification, 'eventId' | 'userId' | 'type' | 'actorId' | 'facts'> &
    Partial<Pick<NewNotification, 'happenedAt'>>,
) => NewNotification;

/** Creates notifications with their in-app text and a delivery on each channel that carries their type. */
export function composer(words: Words, channels: readonly Channel[]): Compose {
  return (about) => ({
    happenedAt: null,
    ...about,
    words: words(about.type, about.facts),
    taskId: about.facts.task?.id ?? null,
    class: classes[about.type],
    channels: channels
      .filter((channel) => channel.carries(about.type))
      .map((channel) => ({ name: channel.name, state: sends(channel) ? 'pending' : 'sent' })),
  });
}
