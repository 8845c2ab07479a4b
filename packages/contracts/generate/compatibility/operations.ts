import { breaking, note, type Finding } from './finding.ts';
import { array, object, resolve, same, strings, unjudged, type Json } from './json.ts';
import { responseFindings } from './responses.ts';
import type { Compare } from './direction.ts';
import { schemaComparison } from './schema.ts';
import { schemeFindings, securityFindings } from './security.ts';

const judgedKeys = {
  document: new Set(['openapi', 'info', 'servers', 'tags', 'paths', 'components', 'security', 'externalDocs']),
  operation: new Set(['operationId', 'summary', 'description', 'externalDocs', 'tags', 'security', 'parameters', 'requestBody', 'responses', 'deprecated', 'x-deprecated', 'x-sunset']),
  parameter: new Set(['name', 'in', 'required', 'description', 'schema', 'example', 'examples', 'deprecated']),
};

/** Differences between two OpenAPI documents of one service, as its callers see them. */
export function openApiFindings(before: Json, after: Json): Finding[] {
  const compare = schemaComparison(before, after);
  const [was, is] = [operationsOf(before), operationsOf(after)];
  const servers = (document: Json) => array(document['servers']).map(({ url }) => url);
  return [
    ...(same(servers(before), servers(after)) ? [] : [breaking('servers', `are ${servers(after).join(', ')} instead of ${servers(before).join(', ')}`)]),
    ...schemeFindings(before, after),
    ...[...was].flatMap(([name, operation]) => {
      const now = is.get(name);
      return now === undefined ? [breaking(name, 'was removed')] : operationFindings(name, { before, after, was: operation, is: now }, compare);
    }),
    ...[...is.keys()].filter((name) => !was.has(name)).map((name) => note(name, 'was added')),
    ...unjudged('the document', before, after, judgedKeys.document),
  ];
}

/** An operation in both versions of a document. */
type Pair = { before: Json; after: Json; was: Json; is: Json };

function operationsOf(document: Json): Map<string, Json> {
  const found = Object.entries(object(document['paths'])).flatMap(([path, methods]) =>
    Object.entries(object(methods)).map(([method, operation]): [string, Json] => [`${method.toUpperCase()} ${path}`, object(operation)]),
  );
  return new Map(found);
}

function operationFindings(name: string, { before, after, was, is }: Pair, compare: Compare): Finding[] {
  return [
    // generated clients name their functions after the operation id, and group them by the tag
    ...(was['operationId'] === is['operationId'] ? [] : [breaking(name, `operationId is ${String(is['operationId'])} instead of ${String(was['operationId'])}`)]),
    ...(same(was['tags'], is['tags']) ? [] : [note(name, `tags are ${strings(is['tags']).join(', ')}`)]),
    ...(was['deprecated'] !== true && is['deprecated'] === true ? [note(name, 'was deprecated')] : []),
    ...sunsetFindings(name, was['x-sunset'], is['x-sunset']),
    ...securityFindings(name, was['security'] ?? before['security'], is['security'] ?? after['security']),
    ...parameterFindings(name, parametersOf(before, was), parametersOf(after, is), compare),
    ...bodyFindings(name, resolve(before, was['requestBody']), resolve(after, is['requestBody']), compare),
    ...responseFindings(name, responsesOf(before, was), responsesOf(after, is), { before, after, compare }),
    ...unjudged(name, was, is, judgedKeys.operation),
  ];
}

/** A promised sunset may be postponed, but not brought forward. */
function sunsetFindings(name: string, was: unknown, is: unknown): Finding[] {
  if (was === is) return [];
  const what = is === undefined ? 'has no sunset any more' : `has its sunset on ${String(is)}`;
  return [typeof was === 'string' && typeof is === 'string' && is < was ? breaking(name, what) : note(name, what)];
}

function parametersOf(document: Json, operation: Json): Map<string, Json> {
  const resolved = array(operation['parameters']).map((each) => resolve(document, each));
  return new Map(resolved.map((each) => [`${String(each['in'])} ${String(each['name'])}`, each]));
}

function parameterFindings(name: string, before: Map<string, Json>, after: Map<string, Json>, compare: Compare): Finding[] {
  return [
    ...[...before.keys()].filter((key) => !after.has(key)).map((key) => breaking(`${name} ${key}`, 'was removed')),
    ...[...after].flatMap(([key, is]): Finding[] => {
      const [where, was] = [`${name} ${key}`, before.get(key)];
      if (was === undefined) return [is['required'] === true ? breaking(where, 'became required') : note(where, 'was added')];
      return [
        ...requiredFindings(where, was, is),
        ...(was['deprecated'] !== true && is['deprecated'] === true ? [note(where, 'was deprecated')] : []),
        ...compare(where, was['schema'], is['schema'], 'request'),
        ...unjudged(where, was, is, judgedKeys.parameter),
      ];
    }),
  ];
}

function requiredFindings(where: string, before: Json, after: Json): Finding[] {
  const [was, is] = [before['required'] === true, after['required'] === true];
  if (was === is) return [];
  return [is ? breaking(where, 'became required') : note(where, 'became optional')];
}

function bodyFindings(name: string, before: Json, after: Json, compare: Compare): Finding[] {
  const where = `${name} body`;
  const [was, is] = [object(before['content']), object(after['content'])];
  if (Object.keys(was).length === 0) {
    if (Object.keys(is).length === 0) return [];
    return [after['required'] === true ? breaking(where, 'became required') : note(where, 'was added')];
  }
  if (Object.keys(is).length === 0) return [breaking(where, 'was removed')];
  return [
    ...requiredFindings(where, before, after),
    ...sizeFindings(where, sizeOf(before), sizeOf(after)),
    ...Object.keys(was).flatMap((type) =>
      type in is ? compare(where, object(was[type])['schema'], object(is[type])['schema'], 'request') : [breaking(where, `no longer accepts ${type}`)],
    ),
    ...Object.keys(is).filter((type) => !(type in was)).map((type) => note(where, `also accepts ${type}`)),
  ];
}

/** The maximum size of a body, which the documents state in its description. */
function sizeOf(body: Json): number {
  return Number(/At most (\d+) bytes/.exec(String(body['description']))?.[1] ?? Number.POSITIVE_INFINITY);
}

function sizeFindings(where: string, was: number, is: number): Finding[] {
  if (was === is) return [];
  return [is < was ? breaking(where, `may have at most ${is} bytes`) : note(where, `may have up to ${is} bytes`)];
}

/** The responses of an operation by status, wherever the document defines them. */
function responsesOf(document: Json, operation: Json): Map<string, Json> {
  return new Map(Object.entries(object(operation['responses'])).map(([status, response]) => [status, resolve(document, response)]));
}
