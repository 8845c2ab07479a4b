import fc from 'fast-check';
import { responseFaults, tagFaults, type Received } from './checks.ts';
import { invalid, valid } from './inputs.ts';
import { withKnownIds, type KnownIds } from './known-ids.ts';
import type { Json, Operation, Parameter, Server } from './operations.ts';
import { validBody } from './rich-inputs.ts';

/** A planned request: when it is sent, ids and tags are filled in from earlier responses. */
export type Step = {
  operation: Operation;
  actor: string;
  isBad: boolean;
  body: unknown;
  query: Json;
  /** Determines the choice among the ids that the sequence has received. */
  pick: number;
  /** Used where no id is known. */
  unknownId: string;
  ifMatch: 'known' | '*' | '"1"' | undefined;
  key: string | undefined;
};

/** A request as it was sent, with its response. */
export type Exchange = {
  operationId: string;
  server: Server;
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string | undefined;
  response: Received;
};

/** The users and services of a run, by the names that steps use for them. A service has a token for each service that it calls, and no id. */
export type Actors = Readonly<Record<string, Person | ServiceActor>>;
type Person = { token: string; id: string };
type ServiceActor = { tokens: Partial<Record<Server, string>> };

/** More steps would only take longer: the life of a task has only six. */
const longest = 30;

/** The names of a run's actors. A stranger has no token. */
export type Names = { people: readonly string[]; services: readonly string[]; stranger: string };

/** Sequences of valid and invalid requests. */
export function sequences(operations: readonly Operation[], actors: Names): fc.Arbitrary<Step[]> {
  const weighted = operations.map((operation) => ({
    weight: weightOf(operation),
    arbitrary: steps(operation, operations, actors),
  }));
  return fc.array(fc.oneof(...weighted), {
    minLength: 1,
    maxLength: longest,
    size: 'max',
  });
}

/**
 * Returns the relative frequency of an operation. Creations are more frequent, because most operations need an object that the sequence has created,
 * usually a task.
 */
function weightOf({ id, path }: Operation): number {
  if (id === 'createTask') return 12;
  return path.startsWith('/api/v1/tasks') ? 3 : 1;
}

/**
 * Generates steps with or without a fault. OpenAPI cannot forbid parameters for an operation that has none, and the services ignore such parameters.
 */
function steps(operation: Operation, all: readonly Operation[], actors: Names): fc.Arbitrary<Step> {
  const { people, services, stranger } = actors;
  const callers = operation.server === 'gateway' ? people : services;
  const body = operation.body;
  const queries = operation.parameters.filter((parameter) => parameter.in === 'query');
  const choices = (isBad: boolean): fc.Arbitrary<Step> =>
    fc.record({
      operation: fc.constant(operation),
      // the token of any other actor is refused before the operation reads the request
      actor: fc.oneof(
        { weight: 7, arbitrary: fc.constantFrom(...callers) },
        { weight: 1, arbitrary: fc.constantFrom(...people, ...services, stranger) },
      ),
      isBad: fc.constant(isBad),
      body: body === undefined ? fc.constant(undefined) : isBad ? invalid(body) : validBody(operation, all),
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

/** The parts of a run that all sequences share. */
export type Run = {
  send(request: Omit<Exchange, 'response'>): Promise<Received>;
  actors: Actors;
  /** Called with each exchange. */
  sent(exchange: Exchange): void;
};

/** Sends the requests of a sequence in order. @returns the faults of the first response that has faults. */
export async function play(run: Run, planned: readonly Step[]): Promise<string[]> {
  const people = peopleOf(run.actors);
  const ids = new Map<string, string[]>([['users', people.map(({ id }) => id)]]);
  const seen = new Map<string, { tag: string; text: string }>();
  const tags = new Map<string, string>();
  for (const step of planned) {
    const { operation } = step;
    const path = pathOf(step, ids);
    const known = tags.get(path);
    const { server, method } = operation;
    const headers = headersOf(run.actors, step, known);
    const url = `${path}${textOf(step.isBad ? step.query : (withKnownIds(step.query, ids, step.pick) as Json))}`;
    const request = { operationId: operation.id, server, method, url, headers, body: bodyOf(people, step, ids) };
    const exchange = async () => {
      const response = await run.send(request);
      run.sent({ ...request, response });
      return response;
    };
    const response = await exchange();
    const faults = responseFaults(operation, response, step.isBad ? 'bad' : 'valid');
    if (method === 'GET') faults.push(...tagFaults(seen, `${step.actor} ${server} ${url}`, response));
    if (headers['idempotency-key'] !== undefined && response.status < 300)
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

/** Adds the id of a created resource. */
function remember(ids: Map<string, string[]>, path: string, text: string): void {
  const { id } = JSON.parse(text) as { id?: string };
  const collection = path.split('/').at(-1) ?? '';
  if (id !== undefined) ids.set(collection, [...(ids.get(collection) ?? []), id]);
}

function peopleOf(actors: Actors): Person[] {
  return Object.values(actors).filter((actor) => 'id' in actor);
}

/**
 * Fills the ids in a path: `{id}` belongs to the word before it, `{task_id}` and `{other_id}` to `tasks`. The operations of Auth get no users of the run,
 * except for internal ones, which only read.
 */
function pathOf({ operation, pick, unknownId }: Step, ids: KnownIds): string {
  let place = 0;
  return operation.path.replaceAll(/(?<=\/(\w+)\/)\{(?:(\w+)_)?id\}/g, (_, before: string, name?: string) => {
    const collection = name === undefined ? before : name === 'other' ? 'tasks' : `${name}s`;
    const isOfRun = collection === 'users' && operation.path.startsWith('/api/v1/users');
    const known = isOfRun ? [] : (ids.get(collection) ?? []);
    // two ids of a path are different ones, if two are known
    return known[(pick + place++) % Math.max(1, known.length)] ?? unknownId;
  });
}

function headersOf(
  actors: Actors,
  { operation, actor, body, ifMatch, key }: Step,
  known: string | undefined,
): Record<string, string> {
  const takes = (name: string) =>
    operation.parameters.some((parameter) => parameter.in === 'header' && parameter.name === name);
  const token = tokenOf(actors[actor], operation.server);
  const match = ifMatch === 'known' ? known : ifMatch;
  return {
    ...(token === undefined || operation.isOpen ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(takes('If-Match') && match !== undefined ? { 'if-match': match } : {}),
    ...(takes('Idempotency-Key') && key !== undefined ? { 'idempotency-key': key } : {}),
  };
}

function tokenOf(actor: Actors[string] | undefined, server: Server): string | undefined {
  if (actor === undefined) return undefined;
  return 'tokens' in actor ? actor.tokens[server] : actor.token;
}

/**
 * Returns the body as text. Random assignees never exist, and only one field for an assignee is allowed, so some are replaced by users of the run,
 * and most are omitted.
 */
function bodyOf(people: readonly Person[], step: Step, ids: KnownIds): string | undefined {
  const { isBad, pick } = step;
  const planned = step.operation.id === 'createTask' && !isBad ? taskBody(step.body as Json, pick) : step.body;
  if (planned === undefined) return undefined;
  const body = isBad ? planned : withKnownIds(planned, ids, pick);
  if (isBad || typeof body !== 'object' || body === null || !('assignee_id' in body) || pick % 4 === 0)
    return JSON.stringify(body);
  const assignee = pick % 4 === 1 ? people[pick % people.length]?.id : undefined;
  return JSON.stringify({ ...body, assign: undefined, assignee_id: assignee });
}

/** A new task is carried out by people or by a job, which the schema of the body cannot express. Every other body with a job keeps it. */
function taskBody(body: Json, pick: number): Json {
  if ('job' in body && pick % 2 === 0) return { ...body, kind: 'job', assign: undefined, assignee_id: undefined };
  return { ...body, kind: undefined, job: undefined };
}

function textOf(query: Json): string {
  const pairs = Object.entries(query).flatMap(([name, value]) => [value].flat().map((one) => [name, String(one)]));
  const text = new URLSearchParams(pairs).toString();
  return text === '' ? '' : `?${text}`;
}

/** Formats an exchange as a command that can be pasted into a shell, without tokens. */
export function curlOf({ method, url, headers, body, response }: Exchange, origin: string): string {
  const quoted = (text: string) => `'${text.replaceAll("'", String.raw`'\''`)}'`;
  const sent = Object.entries(headers).map(
    ([name, value]) => `--header ${quoted(`${name}: ${name === 'authorization' ? 'Bearer …' : value}`)}`,
  );
  const data = body === undefined ? [] : [`--data-raw ${quoted(body)}`];
  return [`curl --request ${method}`, ...sent, ...data, quoted(`${origin}${url}`), `# ${response.status}`].join(' ');
}
