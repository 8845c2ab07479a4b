import type { Route } from '@taskwire/contracts';
import { callRoute, type CallResult, type PreparedCall } from './contract-call.ts';

export type ReplayWalk = {
  baseUrl: string;
  routes: Readonly<Record<string, Route>>;
  /** Functions by operation id, each of which prepares a request that succeeds. An idempotent operation without such a function is a fault. */
  prepare: Readonly<Record<string, () => Promise<PreparedCall>>>;
  /** Reads everything that the operations can write. */
  snapshot(): Promise<unknown>;
};

/** The response headers that a replay must repeat. */
const repeatedHeaders = ['etag', 'location', 'content-type'];

/**
 * Sends each request of the idempotent operations twice with one Idempotency-Key. Reports each operation whose second response isn't marked as a replay
 * of the first, differs from it, or wrote anything.
 */
export async function walkReplays(o: ReplayWalk): Promise<{ operations: number; faults: string[] }> {
  const idempotent = Object.values(o.routes).filter((route) => route.idempotent === true);
  const faults: string[] = [];
  for (const route of idempotent) {
    for (const fault of await faultsOf(route, o)) faults.push(`${route.operationId}: ${fault}`);
  }
  return { operations: idempotent.length, faults };
}

async function faultsOf(route: Route, { baseUrl, prepare, snapshot }: ReplayWalk): Promise<string[]> {
  const prepared = await prepare[route.operationId]?.();
  if (prepared === undefined) return ['no request is prepared'];
  const call = { ...prepared, headers: { ...prepared.headers, 'idempotency-key': crypto.randomUUID() } };
  const first = await callRoute(baseUrl, route, call);
  if (first.status >= 300) return [`the first response is ${first.status} ${first.text}`];
  const before = JSON.stringify(await snapshot());
  const second = await callRoute(baseUrl, route, call);
  return [
    ...(isReplayed(first) ? ['the first response is marked as replayed'] : []),
    ...(isReplayed(second) ? [] : ['the second response is not marked as replayed']),
    ...(second.status === first.status && second.text === first.text ? [] : ['the responses differ']),
    ...repeatedHeaders
      .filter((name) => first.headers.get(name) !== second.headers.get(name))
      .map((name) => `${name} differs`),
    ...(JSON.stringify(await snapshot()) === before ? [] : ['the second request wrote something']),
  ];
}

function isReplayed({ headers }: CallResult): boolean {
  return headers.get('idempotency-replayed') === 'true';
}
