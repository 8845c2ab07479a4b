import { readFileSync } from 'node:fs';

export type Json = { readonly [key: string]: unknown };

/** A parameter of an operation. */
export type Parameter = { name: string; in: 'path' | 'query' | 'header'; required: boolean; schema: Json };

/** The server of an operation: the gateway, or the service itself for calls by other services. */
export type Server = 'gateway' | 'auth' | 'tasks';

/** An operation, as described by its OpenAPI document, with all references resolved. */
export type Operation = {
  id: string;
  server: Server;
  method: string;
  path: string;
  isOpen: boolean;
  parameters: Parameter[];
  body: Json | undefined;
  responses: Readonly<Record<string, { headers: string[]; content: Readonly<Record<string, Json>> }>>;
};

/**
 * Operations that end the sessions of this run, or whose response is a page of another server. They have separate tests. Users of the run itself are
 * never deleted or changed, because requests only use ids of objects that their sequence created.
 */
const leftOut = new Set(['logout', 'logoutEverywhere', 'changePassword', 'endSession', 'endConsent']);

const documents: readonly [name: string, Server][] = [
  ['auth', 'gateway'],
  ['tasks', 'gateway'],
  ['notifications', 'gateway'],
  ['auth.internal', 'auth'],
  ['tasks.internal', 'tasks'],
];

/** Returns the operations of the public and internal APIs that accept JSON. */
export function allOperations(contracts: URL): Operation[] {
  return documents.flatMap(([name, server]) => {
    const document = JSON.parse(readFileSync(new URL(`openapi/${name}.json`, contracts), 'utf8')) as Json;
    return Object.entries(document['paths'] as Record<string, Json>).flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, operation]) => {
        const described = operationOf({ path, method, server }, resolved(document, operation) as Json);
        return (path.startsWith('/api/') || server !== 'gateway') && !leftOut.has(described.id) ? [described] : [];
      }),
    );
  });
}

function operationOf(at: { path: string; method: string; server: Server }, operation: Json): Operation {
  const {
    operationId,
    security,
    parameters = [],
    requestBody,
    responses,
  } = operation as {
    operationId: string;
    security: Json[];
    parameters?: Parameter[];
    requestBody?: { content: Record<string, { schema: Json }> };
    responses: Record<string, { headers?: Json; content?: Record<string, { schema: Json }> }>;
  };
  return {
    id: operationId,
    server: at.server,
    method: at.method.toUpperCase(),
    path: at.path,
    isOpen: security.length === 0,
    parameters,
    body: requestBody?.content['application/json']?.schema,
    responses: Object.fromEntries(
      Object.entries(responses).map(([status, { headers = {}, content = {} }]) => [
        status,
        {
          headers: Object.keys(headers),
          content: Object.fromEntries(Object.entries(content).map(([type, { schema }]) => [type, schema])),
        },
      ]),
    ),
  };
}

/** Returns the value with its references replaced by their targets; the documents have no recursive schemas. */
function resolved(document: Json, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((each) => resolved(document, each));
  if (typeof value !== 'object' || value === null) return value;
  const { $ref: reference, ...own } = value as Json;
  const entries = Object.entries(own).map(
    ([key, each]) => [key, key === 'example' ? each : resolved(document, each)] as const,
  );
  if (typeof reference !== 'string') return Object.fromEntries(entries);
  const target = reference
    .slice(2)
    .split('/')
    .reduce<unknown>((found, part) => (found as Json)[part], document);
  return { ...(resolved(document, target) as Json), ...Object.fromEntries(entries) };
}
