import { casesOf, type Route } from '@taskwire/contracts';
import { callRoute, type PreparedCall } from './contract-call.ts';

export type StrangerWalk = {
  baseUrl: string;
  routes: Readonly<Record<string, Route>>;
  /** Creates a new token of the stranger each time, for a session that no earlier operation has ended. */
  tokenOf(): Promise<string>;
  /**
   * Requests with the other user's object and a valid body, by operation id. If an operation's rule has cases, the key also contains the case, such
   * as `transitionTask cancelled`. An operation on an object, or with a required body, is a fault if it has no entry.
   */
  requests: Readonly<Record<string, Omit<PreparedCall, 'token'>>>;
  /** Texts that only the other user's objects contain. Responses to the stranger must not include them. */
  secrets: readonly string[];
  /** Reads everything that belongs to the other user. */
  snapshot(): Promise<unknown>;
};

/**
 * Calls every user operation as a member who is unrelated to the objects of another user. Reports each operation on an object that doesn't
 * respond with 403 or 404, each response that contains a secret, and each operation that changed an object of the other user. The cases of a rule are
 * called one by one. Operations and cases whose rule includes everyone are omitted; `walkAsOutsider` calls those for readers and writers.
 */
export async function walkAsStranger(o: StrangerWalk): Promise<{ operations: number; faults: string[] }> {
  const closed = Object.values(o.routes).flatMap(closedCases);
  const before = JSON.stringify(await o.snapshot());
  const faults: string[] = [];
  for (const { id, route } of closed) {
    for (const fault of await faultsOf(id, route, o)) faults.push(`${id}: ${fault}`);
    if (JSON.stringify(await o.snapshot()) === before) continue;
    // later operations would only repeat this fault
    faults.push(`${id}: changed an object of another user`);
    break;
  }
  return { operations: closed.length, faults };
}

/** The cases of an operation that a stranger may not use, each with the id of its request. */
function closedCases(route: Route): { id: string; route: Route }[] {
  const { access, operationId } = route;
  if (access.kind !== 'user') return [];
  return casesOf(access.objects ?? [])
    .filter(([, parties]) => !parties.some((party) => ['everyone', 'reader', 'writer'].includes(party)))
    .map(([name]) => ({ id: name === '' ? operationId : `${operationId} ${name}`, route }));
}

async function faultsOf(
  id: string,
  route: Route,
  { baseUrl, requests, secrets, tokenOf }: StrangerWalk,
): Promise<string[]> {
  const request = requests[id];
  const isOnObject = route.path.includes('{');
  const needsBody = route.body !== undefined && route.optionalBody !== true;
  if (request === undefined && (isOnObject || needsBody)) return ['no request is prepared'];
  const { status, text } = await callRoute(baseUrl, route, { ...request, token: await tokenOf() });
  return [
    ...(isOnObject && status !== 403 && status !== 404 ? [`responded with ${status} to a stranger: ${text}`] : []),
    ...(status >= 500 || status === 401 || status === 422 ? [`responded with ${status}: ${text}`] : []),
    ...(secrets.some((secret) => text.includes(secret)) ? [`exposed to a stranger: ${text}`] : []),
  ];
}
