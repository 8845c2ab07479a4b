import { boundFindings, shapeFindings, valueFindings } from './constraints.ts';
import { breaking, note, type Finding } from './finding.ts';
import { object, resolve, strings, unjudged, type Json } from './json.ts';
import type { Compare, Direction } from './direction.ts';
import { propertyFindings } from './properties.ts';
import { createUnchanged } from './unchanged.ts';

const judged = new Set([
  ...['$ref', '$schema', '$id', '$comment', 'title', 'description', 'example', 'examples', 'anyOf', 'oneOf', 'allOf'],
  ...['type', 'enum', 'const', 'x-extensible-enum', 'format', 'pattern', 'multipleOf', 'uniqueItems', 'contentEncoding', 'contentMediaType'],
  ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'minLength', 'maxLength', 'minItems', 'maxItems'],
  ...['minProperties', 'maxProperties', 'properties', 'required', 'additionalProperties', 'propertyNames', 'items', 'default', 'deprecated'],
]);

/** The comparison of schemas of two versions of a document. */
export function schemaComparison(beforeDocument: Json, afterDocument: Json): Compare {
  const isUnchanged = createUnchanged(beforeDocument, afterDocument);
  const compare: Compare = (where, beforeSchema, afterSchema, direction) => {
    // the time to compare each branch of a union with each other grows exponentially with the depth of nested unions
    if (isUnchanged(beforeSchema, afterSchema)) return [];
    const before = flattened(beforeDocument, beforeSchema);
    const after = flattened(afterDocument, afterSchema);
    const [was, is] = [branchesOf(beforeDocument, before), branchesOf(afterDocument, after)];
    const around = annotationFindings(where, before, after, direction);
    if (was.length === 1 && is.length === 1) return [...around, ...singleFindings(where, was[0] ?? {}, is[0] ?? {}, direction, compare)];
    return [...around, ...exclusivity(where, before, after, direction), ...unionFindings(where, was, is, direction, compare)];
  };
  return compare;
}

function singleFindings(where: string, before: Json, after: Json, direction: Direction, compare: Compare): Finding[] {
  const type = typeFinding(where, before['type'], after['type'], direction);
  if (type?.judgement === 'break') return [type];
  const items = before['items'] === undefined && after['items'] === undefined ? [] : compare(`${where}[]`, before['items'], after['items'], direction);
  const names = before['propertyNames'] === undefined && after['propertyNames'] === undefined
    ? [] : compare(`${where}.(names)`, before['propertyNames'], after['propertyNames'], direction);
  return [
    ...(type === undefined ? [] : [type]),
    ...valueFindings(where, before, after, direction),
    ...boundFindings(where, before, after, direction),
    ...shapeFindings(where, before, after, direction),
    ...propertyFindings(where, before, after, direction, compare),
    ...items,
    ...names,
    ...unjudged(where, before, after, judged),
  ];
}

function annotationFindings(where: string, before: Json, after: Json, direction: Direction): Finding[] {
  const [was, is] = [JSON.stringify(before['default']), JSON.stringify(after['default'])];
  const found: Finding[] = [];
  // a caller that omits the field gets the default, whereas a response contains the value
  if (direction === 'request' && was !== is) {
    found.push(was === undefined ? note(where, `has the default ${is}`) : breaking(where, `the default is ${is} instead of ${was}`));
  }
  if (before['deprecated'] !== true && after['deprecated'] === true) found.push(note(where, 'was deprecated'));
  return found;
}

/** `oneOf` rejects values that fit two branches, which `anyOf` accepts. */
function exclusivity(where: string, before: Json, after: Json, direction: Direction): Finding[] {
  const [was, is] = [before['oneOf'] !== undefined, after['oneOf'] !== undefined];
  if (was === is) return [];
  const stricter = is ? 'request' : 'response';
  const what = is ? 'must fit exactly one alternative' : 'may fit several alternatives';
  return [direction === stricter ? breaking(where, what) : note(where, what)];
}

/** Compares unions: callers may still send every old branch, and can read only the old branches. */
function unionFindings(where: string, was: Json[], is: Json[], direction: Direction, compare: Compare): Finding[] {
  const compared = (before: Json, after: Json) => compare(where, before, after, direction);
  const isFit = (findings: Finding[]) => findings.every(({ judgement }) => judgement === 'note');
  const [needed, offered] = direction === 'request' ? [was, is] : [is, was];
  const pair = (need: Json, offer: Json) => (direction === 'request' ? compared(need, offer) : compared(offer, need));
  const missing = needed.flatMap((branch) => {
    const fits = offered.map((each) => pair(branch, each)).filter(isFit).toSorted((a, b) => a.length - b.length);
    if (fits[0] !== undefined) return fits[0];
    const alike = offered.filter((each) => each['type'] === branch['type']);
    // for a branch that has changed, the change itself is reported
    if (alike.length === 1 && needed.filter((each) => each['type'] === branch['type']).length === 1) return pair(branch, alike[0] ?? {});
    return [breaking(where, `${direction === 'request' ? 'no longer accepts' : 'may now be'} ${describe(branch)}`)];
  });
  const unused = offered.filter((branch) => !needed.some((each) => each['type'] === branch['type'] || isFit(pair(each, branch))));
  const what = direction === 'request' ? 'also accepts' : 'is no longer';
  return [...missing, ...unused.map((branch) => note(where, `${what} ${describe(branch)}`))];
}

function typeFinding(where: string, was: unknown, is: unknown, direction: Direction): Finding | undefined {
  if (was === is) return undefined;
  const [wide, narrow] = direction === 'request' ? [is, was] : [was, is];
  const widened = wide === undefined || (narrow === 'integer' && wide === 'number');
  const what = `is ${String(is ?? 'anything')} instead of ${String(was ?? 'anything')}`;
  return widened ? note(where, what) : breaking(where, what);
}

/** The schema without references and `allOf`; all parts of an `allOf` apply at once. */
function flattened(document: Json, schema: unknown): Json {
  const { $ref: reference, allOf, ...own } = object(schema);
  const parts = [...(reference === undefined ? [] : [resolve(document, schema)]), ...(Array.isArray(allOf) ? allOf : [])];
  return parts.map((part) => flattened(document, part)).reduce<Json>(merged, own);
}

function merged(a: Json, b: Json): Json {
  return {
    ...a,
    ...b,
    ...(a['properties'] !== undefined || b['properties'] !== undefined ? { properties: { ...object(a['properties']), ...object(b['properties']) } } : {}),
    ...(a['required'] !== undefined || b['required'] !== undefined ? { required: [...new Set([...strings(a['required']), ...strings(b['required'])])] } : {}),
  };
}

function branchesOf(document: Json, schema: Json): Json[] {
  const { anyOf, oneOf, ...common } = schema;
  const union = anyOf ?? oneOf;
  if (Array.isArray(union)) {
    // a bound beside the union applies to each branch
    const { description: _, default: __, deprecated: ___, ...bounds } = common;
    return union.flatMap((branch) => branchesOf(document, merged(flattened(document, branch), bounds)));
  }
  const { type } = schema;
  return Array.isArray(type) ? type.map((each: unknown) => ({ ...schema, type: each })) : [schema];
}

function describe(schema: Json): string {
  return String(schema['const'] ?? schema['format'] ?? schema['type'] ?? 'anything');
}
