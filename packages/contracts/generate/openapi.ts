import { problemTypes, type ProblemCode } from '@taskwire/errors';
import { bodyLimitOf, type Route } from '../src/rest/route.ts';
import { exampleOf } from './example.ts';
import { componentsOf, inputSchema, outputSchema, schemaReference, type JsonSchema } from './json-schema.ts';
import { description, security, securitySchemes } from './openapi-access.ts';
import { bodyNameOf, namedSchemas, responseNameOf } from './schema-names.ts';
import { problemExample, problemsByStatus } from './problems.ts';

type Json = { [key: string]: unknown };

const tagExample = '"3-aJ0C1kgWqZQpUeF2hQ8s1w7Yb9E"';

export type OpenApiOptions = {
  title: string;
  description: string;
  /** The version of the document, raised with every change that breaks a caller. */
  version?: string;
  /** The base URL of the paths; `/` means the origin from which the document was loaded. */
  serverUrl: string;
  routes: readonly Route[];
};

/** An OpenAPI 3.1 document of these routes. The same routes always produce the same document, with the keys in the same order. */
export function openApiDocument({ title, description, version = '1.0.0', serverUrl, routes }: OpenApiOptions): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes) (paths[route.path] ??= {})[route.method] = operation(route);
  const problem = { $ref: '#/components/schemas/Problem' };
  const named = namedSchemas(routes);
  return {
    openapi: '3.1.1',
    info: { title, version, description, license: { name: 'MIT', identifier: 'MIT' } },
    servers: [{ url: serverUrl }],
    tags: [...new Set(routes.map((route) => route.tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: componentsOf([paths, problem], named),
      responses: sharedResponses(routes),
      examples: Object.fromEntries(
        codesOf(routes).map((code) => [code, { summary: problemTypes[code].title, value: problemExample(code) }]),
      ),
      headers: headersFor(routes),
      securitySchemes: securitySchemes(routes),
    },
  };
}

function operation(route: Route): Json {
  return {
    operationId: route.operationId,
    summary: route.summary,
    ...description(route),
    tags: [route.tag],
    ...deprecation(route),
    security: security(route),
    ...listed('parameters', [...parametersIn('path', route.params), ...parametersIn('query', route.query), ...headersOf(route)]),
    ...requestBody(route),
    responses: { ...successes(route), ...notModified(route), ...problems(route) },
  };
}

function listed(name: string, items: readonly Json[]): Json {
  return items.length === 0 ? {} : { [name]: items };
}

function deprecation({ deprecated }: Route): Json {
  return deprecated === undefined ? {} : { deprecated: true, 'x-deprecated': deprecated.since, 'x-sunset': deprecated.sunset };
}

// ---- requests -------------------------------------------------------------------------------------------------------------------

function parametersIn(place: 'path' | 'query', schema: Route['query']): Json[] {
  if (schema === undefined) return [];
  const required = (inputSchema(schema)['required'] ?? []) as string[];
  const inputs = propertiesOf(inputSchema(schema));
  return Object.entries(propertiesOf(outputSchema(schema))).map(([name, output]) => {
    // a number is text in a URL, but is documented as a number; if the transform's result has no schema, the text is documented
    const { description, ...rest } = Object.keys(output).some((keyword) => keyword === 'type' || keyword === 'anyOf')
      ? output
      : (inputs[name] ?? output);
    return {
      name,
      in: place,
      required: place === 'path' || required.includes(name),
      ...(description === undefined ? {} : { description }),
      schema: rest,
    };
  });
}

function propertiesOf(schema: JsonSchema): Record<string, JsonSchema> {
  return (schema['properties'] ?? {}) as Record<string, JsonSchema>;
}

function headersOf(route: Route): Json[] {
  const found: Json[] = [];
  if (route.ifMatch !== undefined) {
    found.push({
      name: 'If-Match',
      in: 'header',
      required: route.ifMatch === 'required',
      description: 'The ETag of the version to change, or `*` for any version.',
      schema: { type: 'string' },
      example: '"3"',
    });
  }
  if (route.idempotent === true) {
    found.push({
      name: 'Idempotency-Key',
      in: 'header',
      required: false,
      description: 'A key chosen by the caller for this request, such as a UUID. A repeated request with the same key returns the first response and is not executed again.',
      schema: { type: 'string', minLength: 1, maxLength: 255 },
    });
  }
  if (route.etag === true && route.method === 'get') {
    found.push({
      name: 'If-None-Match',
      in: 'header',
      required: false,
      description: "The ETag of the caller's stored representation.",
      schema: { type: 'string' },
      example: tagExample,
    });
  }
  return found;
}

function requestBody(route: Route): Json {
  if (route.body === undefined) return {};
  const schema = inputSchema(route.body);
  const mediaType = route.bodyType ?? 'application/json';
  return {
    requestBody: {
      description: `At most ${bodyLimitOf(route)} bytes.`,
      required: route.optionalBody !== true,
      content: { [mediaType]: { schema: schemaReference(bodyNameOf(route)), example: exampleOf(schema) } },
    },
  };
}

// ---- responses ------------------------------------------------------------------------------------------------------------------

const header = (name: string): Json => ({ $ref: `#/components/headers/${name}` });

const headers: Json = {
  'X-Request-Id': { description: 'Identifies the request in the logs.', schema: { type: 'string' } },
  ETag: {
    description:
      'Changes whenever the representation changes: the version of the resource, followed by a hash of the body. Used in If-Match and If-None-Match.',
    schema: { type: 'string' },
    example: tagExample,
  },
  Location: {
    description: 'The path of the created resource.',
    schema: { type: 'string' },
    example: '/api/v1/tasks/019a9d5e-71aa-7b3c-8d4e-5f6a7b8c9d0e',
  },
  'Retry-After': { description: 'Seconds to wait before trying again.', schema: { type: 'integer' } },
  'WWW-Authenticate': { description: 'The kind of token that is missing, or the fault of the given one; the challenge of RFC 9470 if the log-in is too old.', schema: { type: 'string' } },
  Deprecation: { description: 'When the operation was deprecated (RFC 9745).', schema: { type: 'string' } },
  Sunset: { description: 'When the operation may be removed (RFC 8594).', schema: { type: 'string' } },
  'Idempotency-Replayed': {
    description: '`true` if this is the response to an earlier request with the same Idempotency-Key.',
    schema: { type: 'string', enum: ['true'] },
  },
};

/** The headers of deprecated operations are documented only if an operation is deprecated. */
function headersFor(routes: readonly Route[]): Json {
  const { Deprecation, Sunset, ...usual } = headers;
  return routes.some(({ deprecated }) => deprecated !== undefined) ? { ...usual, Deprecation, Sunset } : usual;
}

const statusDescriptions: Readonly<Record<number, string>> = { 200: 'OK', 201: 'Created', 202: 'Accepted', 204: 'Done; no content' };

function successes(route: Route): Json {
  return Object.fromEntries(
    Object.entries(route.responses).map(([status, schema]) => [
      status,
      {
        description: statusDescriptions[Number(status)] ?? 'Rejected',
        headers: {
          'X-Request-Id': header('X-Request-Id'),
          ...(status === '201' && route.location !== undefined ? { Location: header('Location') } : {}),
          ...(route.etag === true ? { ETag: header('ETag') } : {}),
          ...(route.deprecated === undefined ? {} : { Deprecation: header('Deprecation'), Sunset: header('Sunset') }),
          ...(route.idempotent === true ? { 'Idempotency-Replayed': header('Idempotency-Replayed') } : {}),
        },
        ...(schema === null ? {} : { content: { 'application/json': { schema: schemaReference(responseNameOf(route, schema)) } } }),
      },
    ]),
  );
}

function notModified(route: Route): Json {
  return answersNotModified(route) ? { 304: response(notModifiedName) } : {};
}

function answersNotModified(route: Route): boolean {
  return route.etag === true && route.method === 'get';
}

const notModifiedName = 'not_modified';

function problems(route: Route): Json {
  return Object.fromEntries(documentedProblems(route).map(([status, codes]) => [status, response(nameOf(codes))]));
}

function documentedProblems(route: Route): [number, ProblemCode[]][] {
  return [...problemsByStatus(route)].filter(([status]) => !(status in route.responses));
}

const response = (name: string): Json => ({ $ref: `#/components/responses/${name}` });

/** Many operations share a problem response, so each is defined once, named after its codes. */
function nameOf(codes: readonly ProblemCode[]): string {
  return codes.join('.');
}

/** The responses that operations refer to, sorted by name. */
function sharedResponses(routes: readonly Route[]): Json {
  const found = routes.flatMap(documentedProblems).map(([status, codes]): [string, Json] => [nameOf(codes), problemResponse(status, codes)]);
  if (routes.some(answersNotModified)) {
    found.push([notModifiedName, { description: "The caller's representation is current", headers: { ETag: header('ETag') } }]);
  }
  return Object.fromEntries(found.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function problemResponse(status: number, codes: readonly ProblemCode[]): Json {
  return {
    description: codes.map((code) => `\`${code}\`: ${problemTypes[code].title}`).join('\n\n'),
    headers: {
      'X-Request-Id': header('X-Request-Id'),
      ...(status === 401 || codes.some((code) => code === 'insufficient_scope' || code === 'reauthentication_required')
        ? { 'WWW-Authenticate': header('WWW-Authenticate') }
        : {}),
      ...(status === 412 ? { ETag: header('ETag') } : {}),
      ...(status === 429 || status === 503 ? { 'Retry-After': header('Retry-After') } : {}),
    },
    content: {
      'application/problem+json': {
        schema: { $ref: '#/components/schemas/Problem' },
        examples: Object.fromEntries(codes.map((code) => [code, { $ref: `#/components/examples/${code}` }])),
      },
    },
  };
}

function codesOf(routes: readonly Route[]): ProblemCode[] {
  const used = new Set(routes.flatMap((route) => [...problemsByStatus(route).values()].flat()));
  return (Object.keys(problemTypes) as ProblemCode[]).filter((code) => used.has(code));
}
