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

/** The operations with an id in their path that don't say who may act on the object. */
function undeclared(routes: readonly Route[]): string[] {
  return routes
    .filter(({ path, access }) => path.includes('{') && access.kind === 'user' && access.roles === undefined && access.objects === undefined)
    .map(({ operationId }) => operationId);
}

describe('The access rules of the contracts', () => {
  it('declare who may act on the object of every operation on one', () => {
    const routes = userRoutes.map(({ route }) => route);
    expect(routes.filter(({ path }) => path.includes('{'))).to.have.length.above(15);
    expect(undeclared(routes)).to.deep.equal([]);
    const open = { ...authRoutes.deleteUser, access: { kind: 'user', scopes: ['admin'] } } as const satisfies Route;
    expect(undeclared([open]), 'canary').to.deep.equal(['deleteUser']);
  });

  it('require scopes of the same service for every user operation', () => {
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

  it('use every scope, and assign each to an audience', () => {
    const used = new Set(userRoutes.flatMap(({ access }) => access.scopes));
    expect([...used]).to.have.members(userScopes);
    const known = (kind: 'user' | 'service') => [...new Set(Object.values(audiences).flatMap((audience) => [...audience[kind]]))];
    expect(known('user')).to.have.members(userScopes);
    expect(known('service')).to.have.members(serviceScopes);
  });

  it('require a read scope for every read and a write scope for every write', () => {
    for (const { operation, route, access } of userRoutes) {
      // a tree of conditions needs a body
      const reads = route.method === 'get' || operation === 'searchTasks';
      const wrong = reads ? ':write' : ':read';
      expect(access.scopes.filter((scope) => scope.endsWith(wrong)), operation).to.deep.equal([]);
    }
  });

  it('require the scope admin for administration: other users, invitations, the audit log, dead letters, shuffling', () => {
    const deadLetters = (service: string) =>
      [`list${service}DeadLetters`, `get${service}DeadLetter`, `replay${service}DeadLetter`, `replay${service}DeadLetters`, `drop${service}DeadLetter`];
    expect(operations(({ access }) => access.scopes.every((scope) => scope === 'admin'))).to.have.members([
      ...['listUsers', 'createUser', 'deleteUser', 'restoreUser', 'listAudit', 'shuffleTasks'],
      ...['createInvitation', 'listInvitations', 'revokeInvitation'],
      ...['replayJob', 'replayJobs', 'dropJobs', 'setJobLimit'],
      ...deadLetters('Tasks'),
      ...deadLetters('Notifications'),
      ...['listTaskJourney', 'listNotificationJourney'],
    ]);
    // account:* covers the user's own account, and admin covers other accounts; the handler distinguishes the two cases
    expect(operations(({ access }) => access.scopes.includes('admin') && access.scopes.length > 1)).to.have.members(
      ['getUser', 'changeUser'],
    );
    // the role is required together with a scope other than admin, because this is daily work for managers
    expect(operations(({ access }) => access.roles !== undefined && !access.scopes.includes('admin'))).to.deep.equal([
      ...['enqueueJob', 'enqueueJobs', 'getJob', 'listJobs', 'cancelJob', 'listJobLimits'],
    ]);
  });

  it('reserve passwords, log-outs everywhere, and the end of sessions and consents for first-party tokens', () => {
    expect(operations(({ access }) => access.firstParty === true)).to.include.members(
      ['changePassword', 'reauthenticate', 'logoutEverywhere', 'endSession', 'endConsent'],
    );
  });
});
