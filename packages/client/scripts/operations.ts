import type { Route } from '@taskwire/contracts';
import type { Operation } from '../src/operation.ts';
import { names, withLaterQuery } from './names.ts';

/** An operation with its place in the client and its entry in the table of operations. */
export type Described = { group: string; name: string; route: Route; entry: Operation };

/** The OpenID provider's operations belong to the sources of tokens, not to the table. */
export const isInClient = ({ tag }: Route) => tag !== 'OAuth';

export function describedOperations(routes: readonly Route[]): Described[] {
  return routes.filter(isInClient).map((route) => {
    const place = names[route.operationId];
    if (place === undefined) {
      throw new Error(`${route.operationId} has no name in the client; add it to packages/client/scripts/names.ts`);
    }
    const [group = '', name = ''] = place.split('.');
    return { group, name, route, entry: entryOf(route) };
  });
}

function entryOf(route: Route): Operation {
  const query = Object.keys(route.query?.shape ?? {});
  return {
    id: route.operationId,
    method: route.method.toUpperCase(),
    path: route.path,
    status: Number(Object.keys(route.responses)[0]),
    ...(query.length === 0 ? {} : { query }),
    ...(withLaterQuery.has(route.operationId) ? { queryInOptions: true } : {}),
    ...(route.body === undefined ? {} : { body: route.optionalBody === true ? 'optional' : 'required' }),
    ...(route.ifMatch === undefined ? {} : { ifMatch: route.ifMatch }),
    ...(route.idempotent === true ? { idempotent: true } : {}),
    ...(route.repeatable === true ? { repeatable: true } : {}),
    ...(query.includes('cursor') ? { list: true } : {}),
    ...(query.includes('token') && query.includes('wait') ? { feed: true } : {}),
    ...(query.includes('wait') && route.etag === true ? { watch: true } : {}),
    // an invalid token would be refused
    ...(route.access.kind === 'anyone' && route.access.user === undefined ? { open: true } : {}),
  };
}

export function groupsOf(operations: readonly Described[]): [group: string, operations: Described[]][] {
  return [...Map.groupBy(operations, ({ group }) => group)];
}

/** The parameters of an operation's path, in order. */
export function pathParameters(path: string): string[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '');
}
