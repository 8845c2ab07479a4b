import type { Unavailable } from '@taskwire/http-client';
import type { BuildNotification } from './build-notification.ts';
import type { TemplateData, NotificationType } from './notification-types.ts';
import type { FindAccountHolder, FindUser, Plan } from './ports.ts';
import { retryLater } from './retry-later.ts';
import type { AccountDetails } from './notifications/definition.ts';
import { reachesDeletedUsers } from './notifications/definitions.ts';

type Needs = {
  findUser: FindUser;
  /** Finds the user to notify. Unlike `findUser`, it recognises a restored account at once. */
  findAccountHolder: FindAccountHolder;
  buildNotification: BuildNotification;
};

/** An account event to report to one user. */
export type AboutAccount = { userId: string; type: NotificationType } & AccountDetails;

/** Plans the notification of one user. A user who has since been deleted is notified only of the deletion itself. */
export function notifyAboutAccount({ findUser, findAccountHolder, buildNotification }: Needs) {
  return async (about: AboutAccount, eventId: string): Promise<Plan> => {
    const { userId, type } = about;
    const user = await findAccountHolder(userId, about.deletedAt);
    switch (user.kind) {
      case 'unavailable':
        return retryLater(user);
      case 'not_found':
        return { kind: 'impossible', reason: `Auth does not know the user ${userId}` };
      case 'deleted':
        if (!reachesDeletedUsers(type) || user.email === '') return { kind: 'notify', notifications: [] };
        if (user.name === null || user.email === null) {
          return { kind: 'retry_later', reason: 'the name of the deleted user is not known yet' };
        }
        return await plan(about, user.name, eventId);
      case 'user':
        return await plan(about, user.name, eventId);
    }
  };

  async function plan(about: AboutAccount, recipient: string, eventId: string): Promise<Plan> {
    const { userId, type, actorId, subjectId, linkId, role, restorableUntil } = about;
    const subject = subjectId === undefined ? undefined : await nameOf(subjectId);
    if (typeof subject === 'object') return retryLater(subject);
    const templateData: TemplateData = {
      task: null,
      actor: typeof actorId === 'string' ? await actorName(actorId) : null,
      recipient,
      isOwnAct: actorId === userId ? true : undefined,
      ...{ subject, linkId, role, restorableUntil },
    };
    // counts against no actor's budget, because an actor must not be able to suppress later warnings by causing many of them
    return {
      kind: 'notify',
      notifications: [buildNotification({ eventId, userId, type, actorId: null, templateData })],
    };
  }

  async function nameOf(id: string): Promise<string | Unavailable> {
    const user = await findUser(id);
    if (user.kind === 'unavailable') return user;
    return (user.kind === 'not_found' ? null : user.name) ?? 'A user who was deleted';
  }

  /** The actor's name is optional: the notification is not delayed while Auth is unavailable. */
  async function actorName(id: string): Promise<string> {
    const name = await nameOf(id);
    return typeof name === 'string' ? name : 'An administrator';
  }
}
