import type { Fetch } from './attempt.ts';
import type { Authorization } from './authorization.ts';
import { Call } from './call.ts';
import type { Api } from './generated/api.ts';
import { operations } from './generated/operations.ts';
import { Feed, type FeedPage } from './feed.ts';
import { List, type Page } from './list.ts';
import type { Operation } from './operation.ts';
import type { CallOptions } from './options.ts';
import { perform, type Settings } from './perform.ts';
import { RetryBudget } from './retry.ts';
import { waitWithin } from './wait.ts';
import { watched } from './watch.ts';

/** Options of a client. */
export type TaskwireOptions = {
  /** The origin of the gateway, for example `https://taskwire.example.com`; an empty string for pages of the same origin. */
  baseUrl: string;
  /** Where access tokens come from: `passwordSession`, `oidc`, `m2m`, `bearer` or your own. */
  auth?: Authorization;
  /** Replaces the platform's fetch, for example in tests. */
  fetch?: Fetch;
  /** The limit for each attempt of a call, including its body; 30 seconds by default. */
  timeoutMs?: number;
  /** The maximum number of retries of a call that is safe to repeat; 2 by default. */
  maxRetries?: number;
};

/** Longer than the gateway waits for a service, so that the gateway's response arrives. */
const usualTimeoutMs = 30_000;
/** A third failure in a row is rarely a coincidence. */
const usualRetries = 2;

/** A client of Taskwire: the operations of the API, grouped by resource. */
export type Taskwire = Api;

function TaskwireClient(
  this: Record<string, unknown>,
  { baseUrl, auth, fetch, timeoutMs = usualTimeoutMs, maxRetries = usualRetries }: TaskwireOptions,
) {
  const settings: Settings = {
    baseUrl: baseUrl.replace(/\/+$/, ''),
    // browsers refuse a fetch that is called as the method of another object
    fetch: fetch ?? ((url, init) => globalThis.fetch(url, init)),
    authorization: auth,
    timeoutMs,
    maxRetries,
    budget: new RetryBudget(),
  };
  auth?.connect?.(settings);
  for (const [group, members] of Object.entries(operations)) {
    const methods = Object.entries(members).map(([name, operation]) => [name, methodOf(settings, operation)] as const);
    const watches = Object.values(members).filter(({ watch }) => watch === true);
    this[group] = Object.fromEntries([
      ...methods,
      ...watches.map((operation) => ['watch', watchOf(settings, operation)] as const),
    ]);
  }
}

export const Taskwire = TaskwireClient as unknown as new (options: TaskwireOptions) => Taskwire;

type Query = Readonly<Record<string, unknown>>;

/** The method of an operation. It takes the path parameters, the body or query, and options, in this order. */
function methodOf(
  settings: Settings,
  operation: Operation,
): (...given: unknown[]) => Call<unknown> | List<unknown> | Feed<FeedPage> {
  return (...given) => {
    const path = pathOf(operation, given);
    const body = operation.body === 'required' ? given.shift() : undefined;
    const hasQuery = operation.query !== undefined && operation.queryInOptions !== true;
    const before = hasQuery ? given.shift() : undefined;
    const options = (given.shift() ?? {}) as CallOptions & { body?: unknown; query?: Query };
    const query = (before ?? options.query ?? {}) as Query;
    const call = (more: Query) =>
      new Call<unknown>(
        perform(settings, operation, { path: path + queryText(more), body: body ?? options.body }, options),
      );
    if (operation.feed === true) {
      const read = (more: Query) => call({ ...query, ...more }) as Call<FeedPage>;
      return new Feed(read, { wait: waitWithin(options.timeoutMs ?? settings.timeoutMs), signal: options.signal });
    }
    if (operation.list !== true) return call(query);
    return new List((cursor) => call(cursor === undefined ? query : { ...query, cursor }) as Call<Page<unknown>>);
  };
}

/** The path of a call, whose parameters are removed from what was given. */
function pathOf({ path }: Operation, given: unknown[]): string {
  return path.replace(/\{\w+\}/g, () => encodeURIComponent(String(given.shift())));
}

/** The method that follows the resource of an operation. It takes the path parameters and options. */
function watchOf(settings: Settings, operation: Operation): (...given: unknown[]) => AsyncGenerator {
  return (...given) => {
    const path = pathOf(operation, given);
    const options = (given.shift() ?? {}) as CallOptions;
    const wait = waitWithin(options.timeoutMs ?? settings.timeoutMs);
    const read = async (known: string | undefined) => {
      const query = known === undefined ? {} : { wait };
      return await perform(settings, operation, { path: path + queryText(query), known }, options);
    };
    return watched(read, { wait, signal: options.signal });
  };
}

function queryText(query: Query): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  if (given.length === 0) return '';
  const pairs = given.flatMap(([name, value]) => [value].flat().map((one) => [name, String(one)]));
  return `?${new URLSearchParams(pairs).toString()}`;
}
