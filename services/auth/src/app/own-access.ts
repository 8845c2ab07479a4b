import type { Consent, OpenSession } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import type { Page, Place } from '@taskwire/postgres';
import type { AuditContext } from '../domain/audit-context.ts';
import { contextOf, type Caller } from './read-user.ts';

/** Storage of everything that has access to an account. Ending access and its audit entry are committed together. */
export type OwnAccess = {
  /** Latest first. */
  sessions(userId: string, place: Place): Promise<Page<Omit<OpenSession, 'current'>>>;
  /** Latest first. */
  consents(userId: string, place: Place): Promise<Page<Omit<Consent, 'current' | 'client'> & { clientId: string }>>;
  /**
   * False if the user has no such open session. Ending a browser log-in also ends everything that clients obtained through it, except
   * `offline_access`.
   */
  endSession(userId: string, id: string, context: AuditContext): Promise<boolean>;
  /** False if the user has no such consent. */
  endConsent(userId: string, id: string, context: AuditContext): Promise<boolean>;
};

/** Lists the caller's sessions. Only our own front end sees where a session was started. */
export function listSessions({ access }: { access: OwnAccess }) {
  return async (caller: Caller, place: Place): Promise<Page<OpenSession>> => {
    const { items, next } = await access.sessions(caller.id, place);
    const shown = items.map((session) => ({
      ...session,
      ip: caller.isFirstParty ? session.ip : null,
      user_agent: caller.isFirstParty ? session.user_agent : null,
      current: session.id === caller.sessionId,
    }));
    return { items: shown, next };
  };
}

/** Lists the caller's consents to clients. */
export function listConsents({ access, clientName }: { access: OwnAccess; clientName: ClientName }) {
  return async (caller: Caller, place: Place): Promise<Page<Consent>> => {
    const { items, next } = await access.consents(caller.id, place);
    const shown = await Promise.all(
      items.map(async ({ clientId, ...consent }) => ({
        ...consent,
        client: { id: clientId, name: await clientName(clientId) },
        current: consent.id === caller.sessionId,
      })),
    );
    return { items: shown, next };
  };
}

/** Returns a client's name, or its id if it has no name. */
export type ClientName = (id: string) => Promise<string>;

/** Ends a session of the caller. @throws Problem `not_found` if the session is unknown or another user's. */
export function endSession({ access }: { access: OwnAccess }) {
  return async (caller: Caller, id: string): Promise<void> => {
    if (await access.endSession(caller.id, id, contextOf(caller))) return;
    throw problem('not_found', 'You have no open session with this id.');
  };
}

/** Ends a consent that the caller gave a client. @throws Problem `not_found` if the consent is unknown or another user's. */
export function endConsent({ access }: { access: OwnAccess }) {
  return async (caller: Caller, id: string): Promise<void> => {
    if (await access.endConsent(caller.id, id, contextOf(caller))) return;
    throw problem('not_found', 'You have no consent with this id.');
  };
}
