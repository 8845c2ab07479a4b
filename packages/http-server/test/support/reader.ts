import type { UserActor } from '../../src/index.ts';

/** The actor of a first-party token of a member who may read tasks. */
export function reader(id: string): UserActor {
  return {
    ...{ kind: 'user', id, role: 'member', sessionId: undefined, clientId: 'first-party', isFirstParty: true },
    ...{ scopes: new Set(['tasks:read'] as const), authenticatedAt: undefined, isRestricted: false },
  };
}
