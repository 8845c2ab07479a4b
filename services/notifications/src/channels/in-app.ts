import type { Channel } from '../app/channel.ts';
import { templates } from '../app/templates/templates.ts';

/** The inbox in the app: the committed notification is the delivery. */
export const inApp: Channel = { name: 'in_app', supports: (type) => templates[type].inApp !== undefined };
