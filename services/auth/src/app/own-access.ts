import type { Consent, OpenSession } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import type { Occasion } from './audit.ts';
import { doneBy, type Caller } from './read-user.ts';

/** A page of a list, latest first. */
export type AccessPage = {
  /** The item that the page before ended with. */
  after: { createdAt: string; id: string } | undefined;
  limit: number;
};

/** Where it is kept what has access to an account. What ends and its entry in the audit log become true together. */
export type OwnAccess = {
  sessions(userId: string, page: AccessPage): Promise<Omit<OpenSession, 'current'>[]>;
  consents(userId: string, page: AccessPage): Promise<(Omit<Consent, 'current' | 'client'> & { clientId: string })[]>;
  /** False when the user has no such session that is open. With the log-in of a browser ends what clients got by it, save `offline_access`. */
  endSession(userId: string, id: string, by: Occasion): Promise<boolean>;
  /** False when the user has no such consent. */
  endConsent(userId: string, id: string, by: Occasion): Promise<boolean>;
};

/** The sessions of the caller. Where somebody logs in from is shown to our own front end only. */
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

/** What the caller allowed clients. */
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

/** What a client is called; its id when it is called nothing. */
export type ClientName = (id: string) => Promise<string>;

/** Ends a session of the caller. @throws Problem `not_found`, also for one of somebody else. */
export function endSession({ access }: { access: OwnAccess }) {
  return async (caller: Caller, id: string): Promise<void> => {
    if (await access.endSession(caller.id, id, doneBy(caller))) return;
    throw problem('not_found', 'You have no open session with this id.');
  };
}

/** Ends what the caller allowed a client. @throws Problem `not_found`, also for a consent of somebody else. */
export function endConsent({ access }: { access: OwnAccess }) {
  return async (caller: Caller, id: string): Promise<void> => {
    if (await access.endConsent(caller.id, id, doneBy(caller))) return;
    throw problem('not_found', 'You have allowed nothing with this id.');
  };
}
