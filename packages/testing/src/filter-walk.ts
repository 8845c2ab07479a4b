import type { Route } from '@taskwire/contracts';
import { callRoute } from './contract-call.ts';

export type FilterWalk = {
  baseUrl: string;
  routes: Readonly<Record<string, Route>>;
  tokenOf(route: Route): Promise<string>;
  /**
   * Values of each query parameter, by operation id. Each value must change the returned list, and leave at least one item in it. A parameter of the
   * contract for which no value is given is a fault.
   */
  values: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
  /** Parameters of the path, by operation id. */
  params?: Readonly<Record<string, Readonly<Record<string, string>>>>;
};

type List = { data: unknown[]; next_cursor: string | null };

/** The largest page size; the prepared lists must fit into one page. */
const wholeList = { limit: '100' };

/**
 * Applies every query parameter of every list, one at a time. Reports each parameter that is accepted but not applied, so that its result equals the
 * unfiltered list. Also checks `limit` and `cursor`: pages of one item must differ.
 */
export async function walkFilters(o: FilterWalk): Promise<{ parameters: number; faults: string[] }> {
  const faults: string[] = [];
  let parameters = 0;
  const lists = Object.values(o.routes).filter(({ query }) => query !== undefined && 'cursor' in query.shape);
  for (const route of lists) {
    const fault = (text: string) => faults.push(`${route.operationId}: ${text}`);
    const names = Object.keys(route.query?.shape ?? {}).filter((name) => !['cursor', 'limit'].includes(name));
    for (const name of names) {
      parameters += 1;
      const values = o.values[route.operationId]?.[name] ?? [];
      if (values.length === 0) fault(`no value of ${name} is prepared`);
      for (const value of values) {
        const found = await faultOf(route, { [name]: value }, o);
        if (found !== undefined) fault(`${name}=${value} ${found}`);
      }
    }
    parameters += 2;
    const found = await pageFault(route, o);
    if (found !== undefined) fault(found);
  }
  return { parameters, faults };
}

async function faultOf(route: Route, filter: Record<string, string>, o: FilterWalk): Promise<string | undefined> {
  // the list may grow during the test: an audit log records each search
  const before = await list(route, {}, o);
  const filtered = await list(route, filter, o);
  const after = await list(route, {}, o);
  if (typeof filtered === 'string' || typeof before === 'string' || typeof after === 'string') return String(filtered);
  if (filtered.length === 0) return 'leaves no item in the list';
  const isSame = before.every((item) => filtered.includes(item)) && filtered.every((item) => after.includes(item));
  const kept = filtered.filter((item) => before.includes(item));
  return isSame && kept.join() === before.join() ? 'is accepted but not applied' : undefined;
}

async function pageFault(route: Route, o: FilterWalk): Promise<string | undefined> {
  const first = await page(route, { limit: '1' }, o);
  if (typeof first === 'string') return first;
  if (first.data.length !== 1 || first.next_cursor === null)
    return 'limit=1 is not applied, or the list has fewer than two items';
  const second = await page(route, { limit: '1', cursor: first.next_cursor }, o);
  if (typeof second === 'string') return second;
  const isSame = JSON.stringify(second.data) === JSON.stringify(first.data);
  return second.data.length !== 1 || isSame ? 'cursor is not applied' : undefined;
}

/** The identities of the items in a list with the names of their fields, which a parameter may add to, or the reason why the list could not be read. */
async function list(route: Route, query: Record<string, string>, o: FilterWalk): Promise<string[] | string> {
  const answer = await page(route, { ...wholeList, ...query }, o);
  if (typeof answer === 'string') return answer;
  return answer.data.map((item) => {
    const { id = JSON.stringify(item), ...rest } = item as { id?: string };
    return [id, ...Object.keys(rest)].join(' ');
  });
}

async function page(route: Route, query: Record<string, string>, o: FilterWalk): Promise<List | string> {
  const token = await o.tokenOf(route);
  const { status, text } = await callRoute(o.baseUrl, route, {
    token,
    query,
    params: o.params?.[route.operationId] ?? {},
  });
  return status === 200 ? (JSON.parse(text) as List) : `responded with ${status}: ${text}`;
}
