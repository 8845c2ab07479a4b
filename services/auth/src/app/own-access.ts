import type { Consent, OpenSession } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import type { AuditContext } from '../domain/audit-context.ts';
import { contextOf, type Caller } from './read-user.ts';

/** A page of a list, latest first. */
export type AccessPage = {
  /** The last item of the previous page. */
  after: { createdAt: string; id: string } | undefined;
  limit: number;
};

/** Storage of everything that has access to an account. Ending access and its audit entry are committed together. */
export type OwnAccess = {
  sessions(userId: string, page: AccessPage): Promise<Omit<OpenSession, 'current'>[]>;
  consents(userId: string, page: AccessPage): Promise<(Omit<Consent, 'current' | 'client'> & { clientId: string })[]>;
  /**
   * False if the user has no such open session. Ending a browser's log-in also ends everything that clients obtained through it, except
   * `offline_access`.
   */
  endSession(userId: string, id: string, context: AuditContext): Promise<boolean>;
  /** False if the user has no such consent. */
  endConsent(userId: string, id: string, context: AuditContext): Promise<boolean>;
};

/** Lists the caller's sessions. Only our own front end is shown where a session was started. */
export function listSessions({ access }: { access: OwnAccess }) {
  return async (caller: Caller, page: AccessPage): Promise<OpenSession[]> => {
    const found = await access.sessions(caller.id, page);
    return found.map((session) => ({
      ...session,
      ...(caller.isFirstParty ? {} : { ip: null, user_agent: null }),
      current: session.id === caller.sessionId,
    }));
  };
}

/** Lists the caller's consents to clients. */
export function listConsents({ access, clientName }: { access: OwnAccess; clientName: ClientName }) {
  return async (caller: Caller, page: AccessPage): Promise<Consent[]> => {
    const found = await access.consents(caller.id, page);
    return await Promise.all(
      found.map(async ({ clientId, ...consent }) => ({
        ...consent,
        client: { id: clientId, name: await clientName(clientId) },
        current: consent.id === caller.sessionId,
      })),
    );
  };
}

/** Returns a client's name, or its id if it has no name. */
export type ClientName = (id: string) => Promise<string>;

/** Ends a session of the caller. @throws Problem `not_found`, also for another user's session. */
export function endSession({ access }: { access: OwnAccess }) {
  return async (caller: Caller, id: string): Promise<void> => {
    if (await access.endSession(caller.id, id, contextOf(caller))) return;
    throw problem('not_found', 'You have no open session with this id.');
  };
}

/** Ends a consent that the caller gave a client. @throws Problem `not_found`, also for another user's consent. */
export function endConsent({ access }: { access: OwnAccess }) {
  return async (caller: Caller, id: string): Promise<void> => {
    if (await access.endConsent(caller.id, id, contextOf(caller))) return;
    throw problem('not_found', 'You have allowed nothing with this id.');
  };
}
