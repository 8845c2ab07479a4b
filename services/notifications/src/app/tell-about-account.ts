import type { Compose } from './compose.ts';
import type { Facts, NotificationType } from './notification-types.ts';
import type { FindAccountHolder, FindPerson, Plan, Unavailable } from './ports.ts';
import { reachesTheDeleted } from './rules.ts';

type Needs = {
  findPerson: FindPerson;
  /** Finds whom to notify. Unlike `findPerson` it sees a restored account at once. */
  findAccountHolder: FindAccountHolder;
  compose: Compose;
};

/** An account event to report to one user. */
export type AboutAccount = {
  userId: string;
  type: NotificationType;
  linkId?: string;
  /** The actor, when the event names one; null for the command line. */
  actorId?: string | null;
  /** The other user that the notification is about. */
  subjectId?: string;
  role?: string;
  /** The time at which a deletion was committed. */
  deletedAt?: string;
  restorableUntil?: string | null;
};

/** Plans the notification of one user. A user who has since been deleted is notified only of the deletion itself. */
export function tellAboutAccount({ findPerson, findAccountHolder, compose }: Needs) {
  return async (about: AboutAccount, eventId: string): Promise<Plan> => {
    const { userId, type } = about;
    const person = await findAccountHolder(userId, about.deletedAt);
    switch (person.kind) {
      case 'unavailable':
        return later(person);
      case 'unheard_of':
        return { kind: 'impossible', reason: `Auth does not know the user ${userId}` };
      case 'deleted':
        if (!reachesTheDeleted(type) || person.email === '') return { kind: 'tell', notifications: [] };
        if (person.name === null || person.email === null) {
          return { kind: 'later', reason: 'the name of the deleted user is not known yet' };
        }
        return await tell(about, person.name, eventId);
      case 'person':
        return await tell(about, person.name, eventId);
    }
  };

  async function tell(about: AboutAccount, recipient: string, eventId: string): Promise<Plan> {
    const { userId, type, actorId, subjectId, linkId, role, restorableUntil } = about;
    const subject = subjectId === undefined ? undefined : await nameOf(subjectId);
    if (typeof subject === 'object') return later(subject);
    const facts: Facts = {
      task: null,
      actor: typeof actorId === 'string' ? await actorName(actorId) : null,
      recipient,
      ...(actorId === userId ? { isOwnAct: true } : {}),
      ...(subject === undefined ? {} : { subject }),
      ...(linkId === undefined ? {} : { linkId }),
      ...(role === undefined ? {} : { role }),
      ...(restorableUntil === undefined ? {} : { restorableUntil }),
    };
    // counts against no one's budget: causing many of these must not stop them from being mailed
    return { kind: 'tell', notifications: [compose({ eventId, userId, type, actorId: null, facts })] };
  }

  async function nameOf(id: string): Promise<string | Unavailable> {
    const person = await findPerson(id);
    if (person.kind === 'unavailable') return person;
    return (person.kind === 'unheard_of' ? null : person.name) ?? 'A user who was deleted';
  }

  /** The actor's name is optional: don't delay the notification when Auth is unavailable. */
  async function actorName(id: string): Promise<string> {
    const name = await nameOf(id);
    return typeof name === 'string' ? name : 'An administrator';
  }
}

function later({ detail, retryAfterMs }: Unavailable): Plan {
  return { kind: 'later', reason: detail, ...(retryAfterMs === undefined ? {} : { afterMs: retryAfterMs }) };
}
