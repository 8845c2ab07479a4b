import type { Compose } from './compose.ts';
import type { FindPerson, Plan } from './ports.ts';

type Needs = { findPerson: FindPerson; compose: Compose };

/** Plans the welcome of a new user. One who was deleted before it could be said is not welcomed. */
export function welcomeUser({ findPerson, compose }: Needs) {
  return async (userId: string, eventId: string): Promise<Plan> => {
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
        const facts = { task: null, actor: null, recipient: person.name };
        return { kind: 'tell', notifications: [compose({ eventId, userId, type: 'user.welcome', facts })] };
      }
    }
  };
}
