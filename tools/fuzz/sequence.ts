import fc from 'fast-check';
import { responseFaults, tagFaults, type Received } from './checks.ts';
import { invalid, valid } from './inputs.ts';
import type { Json, Operation, Parameter } from './operations.ts';

/** A request that is planned: ids and tags are filled in from earlier answers when it is sent. */
export type Step = {
  operation: Operation;
  actor: string;
  isBad: boolean;
  body: unknown;
  query: Json;
  /** Chooses among the ids that the sequence has seen. */
  pick: number;
  /** Used where no id is known. */
  unknownId: string;
  ifMatch: 'known' | '*' | '"1"' | undefined;
  key: string | undefined;
};

/** A request as it was sent, with its answer. */
export type Exchange = {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string | undefined;
  response: Received;
};

/** The people of a run, by the name under which steps act. */
export type Actors = Readonly<Record<string, { token: string; id: string }>>;

/** More steps would only take longer: a task's life has six. */
const longest = 30;

/** Sequences of valid and invalid requests. */
export function sequences(operations: readonly Operation[], actors: readonly string[]): fc.Arbitrary<Step[]> {
  const weighted = operations.map((operation) => ({
    weight: weightOf(operation),
    arbitrary: steps(operation, actors),
  }));
  return fc.array(fc.oneof(...weighted), {
    minLength: 1,
    maxLength: longest,
    size: 'max',
  });
}

/** Most operations need an object that the sequence has created, and tasks are what most of them are about. */
function weightOf({ id, path }: Operation): number {
  if (id === 'createTask') return 12;
  return path.startsWith('/api/v1/tasks') ? 3 : 1;
}

/** A step with or without a fault. OpenAPI cannot forbid parameters of an operation that has none, which the services ignore. */
function steps(operation: Operation, actors: readonly string[]): fc.Arbitrary<Step> {
  const body = operation.body;
  const queries = operation.parameters.filter((parameter) => parameter.in === 'query');
  const choices = (isBad: boolean): fc.Arbitrary<Step> =>
    fc.record({
      operation: fc.constant(operation),
      actor: fc.constantFrom(...actors),
      isBad: fc.constant(isBad),
      body: body === undefined ? fc.constant(undefined) : isBad ? invalid(body) : valid(body),
      query: isBad && body === undefined ? fc.constant({ no_such_parameter: 'x' }) : queryOf(queries),
      pick: fc.nat(),
      unknownId: fc.uuid(),
      ifMatch: fc.constantFrom('known' as const, '*' as const, '"1"' as const, undefined),
      key: fc.option(fc.uuid(), { nil: undefined }),
    });
  if (body === undefined && queries.length === 0) return choices(false);
  return fc.oneof({ weight: 3, arbitrary: choices(false) }, { weight: 1, arbitrary: choices(true) });
}

function queryOf(parameters: readonly Parameter[]): fc.Arbitrary<Json> {
  return fc.record(Object.fromEntries(parameters.map(({ name, schema }) => [name, valid(schema)])), {
    requiredKeys: parameters.filter(({ required }) => required).map(({ name }) => name),
  });
}

/** The parts of a run that all its sequences use. */
export type Run = {
  send(
    method: string,
    url: string,
    init: { headers: Record<string, string>; body: string | undefined },
  ): Promise<Received>;
  actors: Actors;
  /** Called with each exchange. */
  sent(exchange: Exchange): void;
};

/** Sends the requests of a sequence in their order. @returns the faults of the first response that has any. */
export async function play(run: Run, planned: readonly Step[]): Promise<string[]> {
  const ids = new Map<string, string[]>();
  const seen = new Map<string, { tag: string; text: string }>();
  const tags = new Map<string, string>();
  for (const step of planned) {
    const { operation } = step;
    const path = pathOf(step, ids);
    const known = tags.get(path);
    const request = { headers: headersOf(run.actors, step, known), body: bodyOf(run.actors, step) };
    const url = `${path}${textOf(step.query)}`;
    const exchange = async () => {
      const response = await run.send(operation.method, url, request);
      run.sent({ method: operation.method, url, ...request, response });
      return response;
    };
    const response = await exchange();
    const faults = responseFaults(operation, response, step.isBad ? 'bad' : 'valid');
    if (operation.method === 'GET') faults.push(...tagFaults(seen, `${step.actor} ${url}`, response));
    if (request.headers['idempotency-key'] !== undefined && response.status < 300)
      faults.push(...repeatFaults(response, await exchange()));
    tags.set(response.headers.get('location') ?? path, response.headers.get('etag') ?? tags.get(path) ?? '*');
    if (response.status === 201) remember(ids, operation.path, response.text);
    if (faults.length > 0) return faults.map((fault) => `${operation.id}: ${fault}`);
  }
  return [];
}

function repeatFaults(first: Received, second: Received): string[] {
  const isSame = first.status === second.status && first.text === second.text;
  return isSame ? [] : [`the repeated Idempotency-Key got ${second.status} with other bytes`];
}

/** The collection whose ids a path takes: the word before `{id}`, or that of a creation. */
function collectionOf(path: string): string {
  return (path.split('/{id}')[0] ?? '').split('/').at(-1) ?? '';
}

function remember(ids: Map<string, string[]>, path: string, text: string): void {
  const { id } = JSON.parse(text) as { id?: string };
  if (id !== undefined) ids.set(collectionOf(path), [...(ids.get(collectionOf(path)) ?? []), id]);
}

function pathOf({ operation, pick, unknownId }: Step, ids: Map<string, string[]>): string {
  const known = ids.get(collectionOf(operation.path)) ?? [];
  return operation.path.replace('{id}', known[pick % Math.max(1, known.length)] ?? unknownId);
}

function headersOf(
  actors: Actors,
  { operation, actor, body, ifMatch, key }: Step,
  known: string | undefined,
): Record<string, string> {
  const takes = (name: string) =>
    operation.parameters.some((parameter) => parameter.in === 'header' && parameter.name === name);
  const token = actors[actor]?.token;
  const match = ifMatch === 'known' ? known : ifMatch;
  return {
    ...(token === undefined || operation.isOpen ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(takes('If-Match') && match !== undefined ? { 'if-match': match } : {}),
    ...(takes('Idempotency-Key') && key !== undefined ? { 'idempotency-key': key } : {}),
  };
}

/** The body as text. Random assignees never exist, and exclude each other: some are replaced by people of the run, and most are left out. */
function bodyOf(actors: Actors, { body, isBad, pick }: Step): string | undefined {
  if (body === undefined) return undefined;
  const people = Object.values(actors);
  if (isBad || typeof body !== 'object' || body === null || !('assignee_id' in body) || pick % 4 === 0)
    return JSON.stringify(body);
  const assignee = pick % 4 === 1 ? people[pick % people.length]?.id : undefined;
  return JSON.stringify({ ...body, assign: undefined, assignee_id: assignee });
}

function textOf(query: Json): string {
  const text = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)])).toString();
  return text === '' ? '' : `?${text}`;
}

/** An exchange as a command that can be pasted into a shell; tokens are left out. */
export function curlOf({ method, url, headers, body, response }: Exchange, origin: string): string {
  const quoted = (text: string) => `'${text.replaceAll("'", String.raw`'\''`)}'`;
  const sent = Object.entries(headers).map(
    ([name, value]) => `--header ${quoted(`${name}: ${name === 'authorization' ? 'Bearer …' : value}`)}`,
  );
  const data = body === undefined ? [] : [`--data-raw ${quoted(body)}`];
  return [`curl --request ${method}`, ...sent, ...data, quoted(`${origin}${url}`), `# ${response.status}`].join(' ');
}
