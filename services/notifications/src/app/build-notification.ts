import { sends, type Channel } from './channel.ts';
import type { TemplateData, NotificationType } from './notification-types.ts';
import type { NewNotification } from './ports.ts';
import { definitions } from './notifications/definitions.ts';

/** The text of a notification in the app; null for a type that isn't shown there. */
export type ContentOf = (type: NotificationType, templateData: TemplateData) => NewNotification['content'];

export type BuildNotification = (
  about: Pick<NewNotification, 'eventId' | 'userId' | 'type' | 'actorId' | 'templateData'> &
    Partial<Pick<NewNotification, 'happenedAt' | 'commentId'>> & {
      /**
       * False for a recipient who may not read the task. The notification is then not shown in the app, and its deliveries are recorded as skipped when
       * they are rechecked.
       */
      isReadable?: boolean;
    },
) => NewNotification;

/** Creates notifications with their in-app text and a delivery on each channel that supports their type. */
export function notificationBuilder(content: ContentOf, channels: readonly Channel[]): BuildNotification {
  return ({ isReadable = true, ...about }) => ({
    happenedAt: null,
    commentId: null,
    ...about,
    content: isReadable ? content(about.type, about.templateData) : null,
    taskId: about.templateData.task?.id ?? null,
    deliveryPolicy: definitions[about.type].deliveryPolicy,
    channels: channels
      .filter((channel) => channel.supports(about.type) && (isReadable || sends(channel)))
      .map((channel) => ({ name: channel.name, state: sends(channel) ? 'pending' : 'sent' })),
  });
}
