import { events } from '@taskwire/contracts';
import { dead, defineHandler, done, type Handler } from '@taskwire/inbox';
import { z } from 'zod';
import { isNotified, taskHandlerName, taskNotifications } from '../app/notifications/definitions.ts';
import { accountHandlers } from './account-handlers.ts';
import { outcomeOf } from './outcome-of.ts';
import type { UseCases } from './use-cases.ts';

/** The event handlers of this service, apart from those of its user directory. */
export function handlers(useCases: UseCases): Handler[] {
  return [notify(useCases), welcome(useCases), ...accountHandlers(useCases), invite(useCases)];
}

/**
 * Handles every task event that notifies someone. This is a single handler, because order is kept only within a handler, and users should read about
 * a task in the order of its events.
 */
function notify(useCases: UseCases): Handler {
  return defineHandler({
    type: [...taskNotifications.keys()],
    name: taskHandlerName,
    // each type has its own schema, below
    schema: z.unknown(),
    // a dead-lettered message must not block later messages about its task
    order: 'through_retry',
    async handle(event, { type, messageId, signal }) {
      // the message may have been stored by the previous version, which accepted every type
      if (!isNotified(type)) return done();
      const parsed = events[type].safeParse(event);
      if (!parsed.success) return dead(`not a ${type}: ${z.prettifyError(parsed.error)}`);
      const plan = await useCases.notifyAboutTask(type, parsed.data, messageId, signal);
      return outcomeOf(plan, useCases.writeNotifications);
    },
  });
}

function welcome(useCases: UseCases): Handler {
  return defineHandler({
    type: 'auth.user.created',
    // the directory also has a handler for these events, so this one needs a name
    name: 'welcome',
    schema: events['auth.user.created'],
    order: 'none',
    async handle({ user_id: userId }, { messageId }) {
      const plan = await useCases.notifyAboutAccount({ userId, type: 'user.welcome' }, messageId);
      return outcomeOf(plan, async (tx, notifications) => {
        await useCases.introduced(tx, userId);
        useCases.writeNotifications(tx, notifications);
      });
    },
  });
}

function invite(useCases: UseCases): Handler {
  return defineHandler({
    type: 'auth.account.invitation_requested',
    schema: events['auth.account.invitation_requested'],
    order: 'none',
    handle: async ({ link_id: linkId, invited_by: invitedBy }, { messageId }) =>
      outcomeOf(useCases.planInvitation({ linkId, invitedBy }, messageId), useCases.writeNotifications),
  });
}
