import { readFileSync } from 'node:fs';

export type Json = { readonly [key: string]: unknown };

/** A parameter of an operation. */
export type Parameter = { name: string; in: 'path' | 'query' | 'header'; required: boolean; schema: Json };

/** An operation of the public API, as its OpenAPI document describes it, with all references resolved. */
export type Operation = {
  id: string;
  method: string;
  path: string;
  isOpen: boolean;
  parameters: Parameter[];
  body: Json | undefined;
  responses: Readonly<Record<string, { headers: string[]; content: Readonly<Record<string, Json>> }>>;
};

/**
 * Operations that end the sessions with which this run works, or whose answer is a page of another server. They have tests of their own. Users of the
 * run itself are never deleted or changed, because ids come from what a sequence created.
 */
const leftOut = new Set(['logout', 'logoutEverywhere', 'changePassword', 'endSession', 'endConsent']);

/** The operations of the public API that take JSON. */
export function publicOperations(contracts: URL): Operation[] {
  return ['auth', 'tasks', 'notifications'].flatMap((service) => {
    const document = JSON.parse(readFileSync(new URL(`openapi/${service}.json`, contracts), 'utf8')) as Json;
    return Object.entries(document['paths'] as Record<string, Json>).flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, operation]) => {
        const described = operationOf(path, method, resolved(document, operation) as Json);
        return path.startsWith('/api/') && !leftOut.has(described.id) ? [described] : [];
      }),
    );
  });
}

function operationOf(path: string, method: string, operation: Json): Operation {
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
    method: method.toUpperCase(),
    path,
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

/** The value with its references replaced by their targets; the documents have no recursive schemas. */
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
