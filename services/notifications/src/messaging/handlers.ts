import { events, type EventPayload } from '@taskwire/contracts';
import { dead, defineHandler, done, unavailable, type Handler, type Outcome } from '@taskwire/inbox';
import type { Tx } from '@taskwire/postgres';
import { z } from 'zod';
import type { NewNotification, Plan } from '../app/ports.ts';
import type { AboutAccount } from '../app/tell-about-account.ts';
import { rules, type ToldEventType } from '../app/rules.ts';

export type UseCases = {
  tellAboutTask<T extends ToldEventType>(
    eventType: T,
    event: EventPayload<T>,
    eventId: string,
    signal: AbortSignal,
  ): Promise<Plan>;
  tellAboutAccount(about: AboutAccount, eventId: string): Promise<Plan>;
  inviteByMail(about: { linkId: string; invitedBy: string }, eventId: string): Plan;
  writeNotifications(tx: Tx, notifications: readonly NewNotification[]): Promise<void>;
};

/** What this service does with the events that it hears, beside keeping its user directory. */
export function handlers(useCases: UseCases): Handler[] {
  return [tell(useCases), welcome(useCases), ...tellOfLinks(useCases), ...tellOfAccount(useCases), invite(useCases)];
}

/** One handler for all that people are told of tasks, because order is kept within a handler: people read what happened to a task as it happened. */
function tell(useCases: UseCases): Handler {
  return defineHandler({
    type: Object.keys(rules),
    name: 'tell',
    // each type has its own schema, below
    schema: z.unknown(),
    // a message that is dead must not silence the rest of its task
    order: 'through_retry',
    async handle(event, { type, messageId, signal }) {
      // left waiting by the version before, which took every type
      if (!isTold(type)) return done();
      const parsed = events[type].safeParse(event);
      if (!parsed.success) return dead(`not a ${type}: ${z.prettifyError(parsed.error)}`);
      return outcomeOf(await useCases.tellAboutTask(type, parsed.data, messageId, signal), useCases);
    },
  });
}

function isTold(type: string): type is ToldEventType {
  return Object.hasOwn(rules, type);
}

function welcome(useCases: UseCases): Handler {
  return defineHandler({
    type: 'auth.user.created',
    // the directory has a handler for the same events
    name: 'welcome',
    schema: events['auth.user.created'],
    order: 'none',
    handle: async ({ user_id: userId }, { messageId }) =>
      outcomeOf(await useCases.tellAboutAccount({ userId, type: 'user.welcome' }, messageId), useCases),
  });
}

const linkTypes = {
  'auth.account.verification_requested': 'security.verify_email',
  'auth.account.password_reset_requested': 'security.reset_password',
  'auth.account.email_change_requested': 'security.confirm_email',
  'auth.account.email_changed': 'security.email_changed',
} as const;

function tellOfLinks(useCases: UseCases): Handler[] {
  return (Object.keys(linkTypes) as (keyof typeof linkTypes)[]).map((type) =>
    defineHandler({
      type,
      schema: events[type],
      order: 'none',
      async handle({ user_id: userId, link_id: linkId }, { messageId }) {
        const about = { userId, type: linkTypes[type], linkId };
        return outcomeOf(await useCases.tellAboutAccount(about, messageId), useCases);
      },
    }),
  );
}

function tellOfAccount(useCases: UseCases): Handler[] {
  const told = [
    {
      type: 'auth.account.password_changed',
      name: 'auth.account.password_changed',
      notification: 'security.password_changed',
    },
    // the new address has a handler for the same event
    {
      type: 'auth.account.email_change_requested',
      name: 'warn the old address',
      notification: 'security.email_change_requested',
    },
  ] as const;
  return told.map(({ type, name, notification }) =>
    defineHandler({
      type,
      name,
      schema: events[type],
      order: 'none',
      handle: async ({ user_id: userId }, { messageId }) =>
        outcomeOf(await useCases.tellAboutAccount({ userId, type: notification }, messageId), useCases),
    }),
  );
}

function invite(useCases: UseCases): Handler {
  return defineHandler({
    type: 'auth.account.invitation_requested',
    schema: events['auth.account.invitation_requested'],
    order: 'none',
    handle: async ({ link_id: linkId, invited_by: invitedBy }, { messageId }) =>
      outcomeOf(useCases.inviteByMail({ linkId, invitedBy }, messageId), useCases),
  });
}

function outcomeOf(plan: Plan, { writeNotifications }: UseCases): Outcome {
  switch (plan.kind) {
    case 'tell':
      return plan.notifications.length === 0
        ? done()
        : done(async (tx) => await writeNotifications(tx, plan.notifications));
    case 'later':
      return unavailable(plan.reason, plan.afterMs);
    case 'impossible':
      return dead(plan.reason);
  }
}
