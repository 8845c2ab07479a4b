import { expect } from 'chai';
import { audiences, authRoutes, notificationsRoutes, serviceScopes, tasksRoutes, userScopes, type Audience, type Route, type UserAccess } from '../src/index.ts';

const services: Readonly<Record<Audience, Readonly<Record<string, Route>>>> = {
  'urn:taskwire:auth': authRoutes,
  'urn:taskwire:tasks': tasksRoutes,
  'urn:taskwire:notifications': notificationsRoutes,
};

type UserRoute = { audience: Audience; operation: string; route: Route; access: UserAccess };

const userRoutes: UserRoute[] = Object.entries(services).flatMap(([audience, routes]) =>
  Object.values(routes).flatMap((route) =>
    route.access.kind === 'user' ? [{ audience: audience as Audience, operation: route.operationId, route, access: route.access }] : [],
  ),
);

const operations = (matches: (route: UserRoute) => boolean) => userRoutes.filter(matches).map(({ operation }) => operation);

describe('What the contracts say of access', () => {
  it('names scopes for every operation of users, and only those of its service', () => {
    expect(userRoutes).to.have.length.above(30);
    for (const { audience, operation, access } of userRoutes) {
      expect(access.scopes, operation).not.to.deep.equal([]);
      expect(audiences[audience].user, operation).to.include.members([...access.scopes]);
    }
    for (const [audience, routes] of Object.entries(services)) {
      for (const { access, operationId } of Object.values(routes)) {
        if (access.kind === 'service') expect(audiences[audience as Audience].service, operationId).to.include(access.scope);
      }
    }
  });

  it('uses each scope somewhere, and knows each at a service', () => {
    const used = new Set(userRoutes.flatMap(({ access }) => access.scopes));
    expect([...used]).to.have.members(userScopes);
    const known = (kind: 'user' | 'service') => [...new Set(Object.values(audiences).flatMap((audience) => [...audience[kind]]))];
    expect(known('user')).to.have.members(userScopes);
    expect(known('service')).to.have.members(serviceScopes);
  });

  it('opens no reading to a scope that writes, and no writing to one that reads', () => {
    for (const { operation, route, access } of userRoutes) {
      const wrong = route.method === 'get' ? ':write' : ':read';
      expect(access.scopes.filter((scope) => scope.endsWith(wrong)), operation).to.deep.equal([]);
    }
  });

  it('keeps administration behind admin alone: other people, invitations, the audit log, dead letters, shuffling', () => {
    const deadLetters = (service: string) =>
      [`list${service}DeadLetters`, `get${service}DeadLetter`, `replay${service}DeadLetter`, `replay${service}DeadLetters`, `drop${service}DeadLetter`];
    expect(operations(({ access }) => access.scopes.every((scope) => scope === 'admin'))).to.have.members([
      ...['listUsers', 'createUser', 'deleteUser', 'restoreUser', 'listAudit', 'shuffleTasks'],
      ...['createInvitation', 'listInvitations', 'revokeInvitation'],
      ...deadLetters('Tasks'),
      ...deadLetters('Notifications'),
    ]);
    // one's own account with account:*, other accounts with admin: the handler knows which it is
    expect(operations(({ access }) => access.scopes.includes('admin') && access.scopes.length > 1)).to.have.members(
      ['getUser', 'changeUser'],
    );
    // a role beside another scope: managers assign tasks, which is their daily work
    expect(operations(({ access }) => access.roles !== undefined && !access.scopes.includes('admin'))).to.deep.equal(['assignTask']);
  });

  it('keeps passwords, log-outs everywhere, and the end of sessions and consents to our own front end', () => {
    expect(operations(({ access }) => access.firstParty === true)).to.include.members(
      ['changePassword', 'reauthenticate', 'logoutEverywhere', 'endSession', 'endConsent'],
    );
  });
});
