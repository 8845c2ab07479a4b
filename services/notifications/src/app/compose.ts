import { sends, type Channel } from './channel.ts';
import type { Facts, NotificationType } from './notification-types.ts';
import type { NewNotification } from './ports.ts';
import { classes } from './rules.ts';

/** The words of a notification in the app; null for one that is not told there. */
export type Words = (type: NotificationType, facts: Facts) => NewNotification['words'];

export type Compose = (
  about: Pick<NewNotification, 'eventId' | 'userId' | 'type' | 'actorId' | 'facts'> &
    Partial<Pick<NewNotification, 'happenedAt'>>,
) => NewNotification;

/** Puts a notification into words and onto the channels that carry its type. */
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
