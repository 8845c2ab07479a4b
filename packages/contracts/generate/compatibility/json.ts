import { breaking, type Finding } from './finding.ts';

export type Json = { readonly [key: string]: unknown };

export function object(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

export function array(value: unknown): Json[] {
  return Array.isArray(value) ? value.map(object) : [];
}

export function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}

/** Resolves the references in a value within its document. */
export function resolve(document: Json, value: unknown): Json {
  const reference = object(value)['$ref'];
  if (typeof reference !== 'string') return object(value);
  const path = reference.replace(/^#\//, '').split('/');
  return resolve(document, path.reduce<unknown>((found, part) => object(found)[part.replaceAll('~1', '/').replaceAll('~0', '~')], document));
}

/** Whether two values are equal, whatever the order of their keys. */
export function same(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(ordered(a)) === JSON.stringify(ordered(b));
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, each]) => [key, ordered(each)]));
}

/** Returns a break for each difference in a key without a rule: a change that this check does not understand must not pass unnoticed. */
export function unjudged(where: string, before: Json, after: Json, judged: ReadonlySet<string>): Finding[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys]
    .filter((key) => !judged.has(key) && !same(before[key], after[key]))
    .map((key) => breaking(where, `${key} changed, which no rule judges`));
}
