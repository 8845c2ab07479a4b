import type { Compose } from './compose.ts';
import type { NotificationType } from './notification-types.ts';
import type { FindPerson, Plan } from './ports.ts';

type Needs = { findPerson: FindPerson; compose: Compose };

/** What is told of an account, and of which link of Auth's, if it is of one. */
export type AboutAccount = { userId: string; type: NotificationType; linkId?: string };

/** Plans what a user is told of their own account. One who was deleted before it could be said is told nothing. */
export function tellAboutAccount({ findPerson, compose }: Needs) {
  return async ({ userId, type, linkId }: AboutAccount, eventId: string): Promise<Plan> => {
    const person = await findPerson(userId);
    switch (person.kind) {
      case 'unavailable':
        return {
          kind: 'later',
          reason: person.detail,
          ...(person.retryAfterMs === undefined ? {} : { afterMs: person.retryAfterMs }),
        };
      case 'unheard_of':
        return { kind: 'impossible', reason: `Auth does not know the user ${userId}` };
      case 'deleted':
        return { kind: 'tell', notifications: [] };
      case 'person': {
        const facts = { task: null, actor: null, recipient: person.name, ...(linkId === undefined ? {} : { linkId }) };
        return { kind: 'tell', notifications: [compose({ eventId, userId, type, actorId: null, facts })] };
      }
    }
  };
}
