type Json = { readonly [key: string]: unknown };

/** The direction of a value: a request must not demand more of callers, and a response must not offer them less. */
type Direction = 'request' | 'response';

/** A change that breaks callers written for the previous document, as `<where>: <what>`. */
export type Break = string;

/** Changes between two OpenAPI documents of one service that break callers. */
export function openApiBreaks(before: Json, after: Json): Break[] {
  const compare = schemaComparison(before, after);
  return operationsOf(before).flatMap(([name, was]) => {
    const is = new Map(operationsOf(after)).get(name);
    if (is === undefined) return [`${name}: was removed`];
    return [
      ...parameterBreaks(name, was, is, compare),
      ...bodyBreaks(name, was, is, compare),
      ...responseBreaks(name, responsesOf(before, was), responsesOf(after, is), compare),
    ];
  });
}

/** Changes between two JSON Schemas of one event that break its consumers. */
export function eventBreaks(before: Json, after: Json): Break[] {
  return schemaComparison(before, after)(String(before['title']), before, after, 'response');
}

type Compare = (where: string, before: unknown, after: unknown, direction: Direction) => Break[];

function operationsOf(document: Json): [string, Json][] {
  return Object.entries(object(document['paths'])).flatMap(([path, methods]) =>
    Object.entries(object(methods)).map(([method, operation]): [string, Json] => [
      `${method.toUpperCase()} ${path}`,
      object(operation),
    ]),
  );
}

function parameterBreaks(name: string, was: Json, is: Json, compare: Compare): Break[] {
  const [before, after] = [parametersOf(was), parametersOf(is)];
  return [
    ...[...before.keys()].filter((key) => !after.has(key)).map((key) => `${name} ${key}: was removed`),
    ...[...after].flatMap(([key, parameter]) => {
      const earlier = before.get(key);
      const becameRequired = parameter['required'] === true && earlier?.['required'] !== true;
      return [
        ...(becameRequired ? [`${name} ${key}: became required`] : []),
        ...(earlier === undefined ? [] : compare(`${name} ${key}`, earlier['schema'], parameter['schema'], 'request')),
      ];
    }),
  ];
}

function parametersOf(operation: Json): Map<string, Json> {
  return new Map(array(operation['parameters']).map((each) => [`${each['in']} ${each['name']}`, each]));
}

function bodyBreaks(name: string, was: Json, is: Json, compare: Compare): Break[] {
  const [before, after] = [contentOf(was['requestBody']), contentOf(is['requestBody'])];
  const isRequired = (operation: Json) => object(operation['requestBody'])['required'] === true;
  if (isRequired(is) && !isRequired(was)) return [`${name} body: became required`];
  if (before === undefined) return [];
  if (after === undefined) return [`${name} body: was removed`];
  if (before.type !== after.type) return [`${name} body: is ${after.type} instead of ${before.type}`];
  return compare(`${name} body`, before.schema, after.schema, 'request');
}

/** The responses of an operation by status, wherever the document defines them. */
function responsesOf(document: Json, operation: Json): Json {
  const responses = Object.entries(object(operation['responses']));
  return Object.fromEntries(responses.map(([status, response]) => [status, resolve(document, object(response))]));
}

function responseBreaks(name: string, was: Json, is: Json, compare: Compare): Break[] {
  const successes = Object.entries(was).filter(([status]) => status.startsWith('2'));
  return successes.flatMap(([status, response]) => {
    const now = is[status];
    if (now === undefined) return [`${name} ${status}: was removed`];
    const [before, after] = [contentOf(response), contentOf(now)];
    if (before === undefined) return [];
    if (after === undefined) return [`${name} ${status}: no longer has a body`];
    return compare(`${name} ${status}`, before.schema, after.schema, 'response');
  });
}

function contentOf(message: unknown): { type: string; schema: unknown } | undefined {
  const [content] = Object.entries(object(object(message)['content']));
  return content === undefined ? undefined : { type: content[0], schema: object(content[1])['schema'] };
}

/** Keywords that bound a value, each with the direction of change that makes it stricter. */
const stricterBounds: Readonly<Record<string, 'greater' | 'smaller'>> = {
  minimum: 'greater',
  minLength: 'greater',
  minItems: 'greater',
  maximum: 'smaller',
  maxLength: 'smaller',
  maxItems: 'smaller',
};

function schemaComparison(beforeDocument: Json, afterDocument: Json): Compare {
  return function compare(where, beforeSchema, afterSchema, direction): Break[] {
    const before = resolve(beforeDocument, object(beforeSchema));
    const after = resolve(afterDocument, object(afterSchema));
    const [was, is] = [branchesOf(before), branchesOf(after)];
    if (was.length > 1 || is.length > 1) return unionBreaks(where, was, is, direction, compare);
    return [
      ...typeBreaks(where, before, after, direction),
      ...(direction === 'request' ? narrowed(where, before, after) : []),
      ...propertyBreaks(where, before, after, direction, compare),
      ...(before['items'] === undefined ? [] : compare(`${where}[]`, before['items'], after['items'], direction)),
    ];
  };
}

/** For a union: callers may still send every old branch, and can read only the old branches. */
function unionBreaks(where: string, was: Json[], is: Json[], direction: Direction, compare: Compare): Break[] {
  const [needed, offered] = direction === 'request' ? [was, is] : [is, was];
  return needed
    .filter((branch) => {
      const fits = (other: Json) =>
        (direction === 'request' ? compare(where, branch, other, 'request') : compare(where, other, branch, 'response')).length === 0;
      return !offered.some(fits);
    })
    .map((branch) => `${where}: ${direction === 'request' ? 'no longer accepts' : 'may now be'} ${describe(branch)}`);
}

function branchesOf(schema: Json): Json[] {
  const union = schema['anyOf'];
  if (Array.isArray(union)) return union.flatMap((branch) => branchesOf(object(branch)));
  const { type } = schema;
  return Array.isArray(type) ? type.map((each: unknown) => ({ ...schema, type: each })) : [schema];
}

function typeBreaks(where: string, before: Json, after: Json, direction: Direction): Break[] {
  const [was, is] = [before['type'], after['type']];
  const widened = direction === 'request' && (is === undefined || (was === 'integer' && is === 'number'));
  if (was === is || widened || (direction === 'response' && was === undefined)) return [];
  return [`${where}: is ${describe(after)} instead of ${describe(before)}`];
}

function narrowed(where: string, before: Json, after: Json): Break[] {
  const tighter = Object.entries(stricterBounds).filter(([keyword, stricter]) => {
    const [was, is] = [before[keyword], after[keyword]];
    if (typeof is !== 'number') return false;
    return typeof was !== 'number' || (stricter === 'greater' ? is > was : is < was);
  });
  // whether a changed format or pattern accepts less cannot be determined, so any change counts as stricter
  const shapes = ['format', 'pattern'].filter(
    (keyword) => after[keyword] !== undefined && after[keyword] !== before[keyword],
  );
  const [was, is] = [valuesOf(before), valuesOf(after)];
  const missing = is === undefined ? [] : (was ?? ['anything else']).filter((value) => !is.includes(value));
  return [
    ...[...tighter.map(([keyword]) => keyword), ...shapes].map(
      (keyword) => `${where}: ${keyword} became ${String(after[keyword])}`,
    ),
    ...missing.map((value) => `${where}: no longer accepts ${String(value)}`),
  ];
}

function valuesOf(schema: Json): unknown[] | undefined {
  if (schema['const'] !== undefined) return [schema['const']];
  return Array.isArray(schema['enum']) ? schema['enum'] : undefined;
}

function propertyBreaks(where: string, before: Json, after: Json, direction: Direction, compare: Compare): Break[] {
  const [was, is] = [object(before['properties']), object(after['properties'])];
  const [requiredBefore, requiredAfter] = [strings(before['required']), strings(after['required'])];
  const becameRequired = direction === 'request' ? requiredAfter.filter((name) => !requiredBefore.includes(name)) : [];
  const becameOptional = direction === 'response' ? requiredBefore.filter((name) => name in is && !requiredAfter.includes(name)) : [];
  return [
    ...becameRequired.map((name) => `${where}.${name}: became required`),
    ...becameOptional.map((name) => `${where}.${name}: may now be missing`),
    ...Object.keys(was).flatMap((name) =>
      name in is ? compare(`${where}.${name}`, was[name], is[name], direction) : [`${where}.${name}: was removed`],
    ),
  ];
}

function resolve(document: Json, schema: Json): Json {
  const reference = schema['$ref'];
  if (typeof reference !== 'string') return schema;
  const path = reference.replace(/^#\//, '').split('/');
  return resolve(document, object(path.reduce<unknown>((value, part) => object(value)[part], document)));
}

function describe(schema: Json): string {
  return String(schema['const'] ?? schema['format'] ?? schema['type'] ?? 'anything');
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function array(value: unknown): Json[] {
  return Array.isArray(value) ? value.map(object) : [];
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}
