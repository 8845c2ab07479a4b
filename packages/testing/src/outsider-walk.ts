import type { Route } from '@taskwire/contracts';
import { callRoute, type PreparedCall } from './contract-call.ts';

type Request = Omit<PreparedCall, 'token'>;

export type OutsiderWalk = {
  baseUrl: string;
  routes: Readonly<Record<string, Route>>;
  /** The token of a member who may not read the hidden objects. */
  token: string;
  /** The parameters of a path that stand for hidden objects; undefined for a path without any. */
  hidden(route: Route): Readonly<Record<string, string>> | undefined;
  /** The body that the documentation of an operation shows as its example. */
  exampleOf(route: Route): unknown;
  /**
   * Requests by operation id: bodies where the example is not valid, queries that could reveal hidden objects, and the `params` of objects that are not
   * hidden.
   */
  requests: Readonly<Record<string, readonly Request[]>>;
  /** Texts that only hidden objects contain. Responses must not include them. */
  secrets: readonly string[];
  /** Reads the hidden objects. */
  snapshot(): Promise<unknown>;
};

/** `omitted`: the ids of operations that were not called: those that the user's role does not allow, and those without an object to call them on. */
export type OutsiderWalked = { omitted: string[]; faults: string[] };

/**
 * Calls the operations of a contract as a user for whom some objects are hidden. Reports each operation on a hidden object that responds with
 * anything but 404 `not_found`, each other operation that fails, each response that contains a secret, and each operation that changed a hidden object.
 * Returns the operations that it does not call, so that a test can state them. A new operation is called with the example of its documentation, so it
 * needs an entry in `requests` only if the service rejects that, or if its path names an object that is not hidden.
 */
export async function walkAsOutsider(o: OutsiderWalk): Promise<OutsiderWalked> {
  const [called, others] = [[], []] as [Route[], Route[]];
  for (const route of Object.values(o.routes))
    (isOpenToMembers(route) && hasObject(route, o) ? called : others).push(route);
  const before = JSON.stringify(await o.snapshot());
  const faults: string[] = [];
  for (const route of called) {
    for (const request of o.requests[route.operationId] ?? [{}])
      for (const fault of await faultsOf(route, request, o)) faults.push(`${route.operationId}: ${fault}`);
    if (JSON.stringify(await o.snapshot()) === before) continue;
    // later operations would only repeat this fault
    faults.push(`${route.operationId}: changed a hidden object`);
    break;
  }
  return { omitted: others.map(({ operationId }) => operationId), faults };
}

function isOpenToMembers({ access }: Route): boolean {
  return access.kind === 'user' && access.recentLogin !== true && (access.roles ?? ['member']).includes('member');
}

/** Whether the path of a route names no object, a hidden one or one of a request. */
function hasObject(route: Route, o: OutsiderWalk): boolean {
  if (!route.path.includes('{') || o.hidden(route) !== undefined) return true;
  return o.requests[route.operationId]?.some(({ params }) => params !== undefined) === true;
}

async function faultsOf(route: Route, request: Request, o: OutsiderWalk): Promise<string[]> {
  const hidden = request.params === undefined ? o.hidden(route) : undefined;
  const example = route.body === undefined ? {} : { body: o.exampleOf(route) };
  const call = { token: o.token, ...example, ...request, params: request.params ?? hidden ?? {} };
  const { status, text } = await callRoute(o.baseUrl, route, call);
  const isExpected = hidden === undefined ? isHarmless(route, status) : status === 404 && text.includes('"not_found"');
  return [
    ...(isExpected ? [] : [`responded with ${status}: ${text}`]),
    ...(o.secrets.some((secret) => text.includes(secret)) ? [`exposed a hidden object: ${text}`] : []),
  ];
}

/** An operation on other objects may succeed, not find them, or refuse the caller; a write may also refuse a reference to a hidden object. */
function isHarmless({ method }: Route, status: number): boolean {
  return status < 300 || status === 403 || status === 404 || (status === 422 && method !== 'get');
}
