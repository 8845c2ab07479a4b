import type { Channel } from '../app/channel.ts';
import { definitions } from '../app/notifications/definitions.ts';

/** The inbox in the app: the committed notification is the delivery. */
export const inApp: Channel = { name: 'in_app', supports: (type) => definitions[type].inApp !== undefined };
