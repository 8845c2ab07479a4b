import type { Access, ServiceScope } from '../src/rest/access.ts';
import type { Route } from '../src/rest/route.ts';
import { accessSentences } from './access-text.ts';

type Json = { [key: string]: unknown };

/** The operation's description, preceded by who may call the operation and under which conditions. */
export function description(route: Route): Json {
  const sentences = [...accessSentences(route.access), ...(route.description === undefined ? [] : [route.description])];
  return sentences.length === 0 ? {} : { description: sentences.join(' ') };
}

/** The alternative requirements; an empty list for an operation that is open to anyone. */
export function security(route: Route): Json[] {
  // one scope suffices, so each is a separate requirement
  if (route.access.kind === 'user') {
    const { scopes, service } = route.access;
    return [...scopes.map((scope) => ({ user: [scope] })), ...(service === undefined ? [] : [{ service: [service] }])];
  }
  if (route.access.kind === 'service') return [{ service: [route.access.scope] }];
  if (route.access.user === 'optional') return [{}, { user: [] }];
  if (route.opaqueTokenScope !== undefined) return [{ user: [route.opaqueTokenScope] }];
  // forms are used by OAuth's endpoints, where the client may also be identified in the body
  return route.bodyType === undefined ? [] : [{ client: [] }, {}];
}

/** The kinds of tokens that the operations require. */
export function securitySchemes(routes: readonly Route[]): Json {
  const scopes = routes.flatMap(({ access }) => scopeOfService(access) ?? []);
  return {
    ...(routes.some(({ access }) => access.kind === 'user')
      ? {
          user: {
            type: 'http',
            scheme: 'bearer',
            bearerFormat: 'JWT',
            description:
              'The access token of a user. Tokens of `POST /api/v1/auth/login` have every scope; other tokens have the scopes that their client was granted and the user consented to.',
          },
        }
      : {}),
    ...(routes.some(({ bodyType }) => bodyType !== undefined)
      ? { client: { type: 'http', scheme: 'basic', description: 'The client id and secret of a service.' } }
      : {}),
    ...(scopes.length === 0
      ? {}
      : {
          service: {
            type: 'oauth2',
            description: 'A machine-to-machine token.',
            flows: {
              clientCredentials: {
                tokenUrl: '/oidc/token',
                scopes: Object.fromEntries(scopes.map((scope) => [scope, scopeTexts[scope]])),
              },
            },
          },
        }),
  };
}

const scopeTexts: Readonly<Record<ServiceScope, string>> = {
  'users:read': 'Read users, and the names of the queues that clients have.',
  'tasks:read': 'Read tasks.',
  'account_links:read': 'Read account_links.',
  'jobs:enqueue': 'Enqueue, read and cancel jobs of its queues.',
  'jobs:work': 'Carry out jobs of its queues.',
};

function scopeOfService(access: Access): ServiceScope | undefined {
  if (access.kind === 'service') return access.scope;
  return access.kind === 'user' ? access.service : undefined;
}
