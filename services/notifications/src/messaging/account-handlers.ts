import { events } from '@taskwire/contracts';
import { defineHandler, type Handler } from '@taskwire/inbox';
import { accountNotifications } from '../app/notifications/definitions.ts';
import { outcomeOf } from './outcome-of.ts';
import type { UseCases } from './use-cases.ts';

/** Handles account events. Each one notifies the one user that it names. */
export function accountHandlers(useCases: UseCases): Handler[] {
  return accountNotifications.map(({ type, event: eventType, read, handlerName = eventType }) =>
    defineHandler({
      type: eventType,
      name: handlerName,
      schema: events[eventType],
      order: 'none',
      async handle(event, { messageId }) {
        // already parsed by the schema of the event
        const details = read(event as never);
        const plan = await useCases.notifyAboutAccount({ userId: event.user_id, type, ...details }, messageId);
        return outcomeOf(plan, useCases.writeNotifications);
      },
    }),
  );
}
