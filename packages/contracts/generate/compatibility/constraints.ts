import { breaking, note, type Finding } from './finding.ts';
import type { Json } from './json.ts';
import type { Direction } from './direction.ts';

/** A stricter rule breaks callers who send values; a looser one breaks readers of values. */
function judge(where: string, what: string, change: 'stricter' | 'looser', direction: Direction): Finding {
  return (change === 'stricter') === (direction === 'request') ? breaking(where, what) : note(where, what);
}

/** Keywords that bound a value, each with the direction of change that makes it stricter. */
const stricterBounds: Readonly<Record<string, 'greater' | 'smaller'>> = {
  minimum: 'greater',
  exclusiveMinimum: 'greater',
  minLength: 'greater',
  minItems: 'greater',
  minProperties: 'greater',
  maximum: 'smaller',
  exclusiveMaximum: 'smaller',
  maxLength: 'smaller',
  maxItems: 'smaller',
  maxProperties: 'smaller',
};

/** Findings for bounds: a new bound is stricter, and a removed bound is looser. */
export function boundFindings(where: string, before: Json, after: Json, direction: Direction): Finding[] {
  return Object.entries(stricterBounds).flatMap(([keyword, stricter]) => {
    const [was, is] = [before[keyword], after[keyword]];
    if (was === is) return [];
    const tighter = typeof was !== 'number' || (typeof is === 'number' && (stricter === 'greater' ? is > was : is < was));
    const what = is === undefined ? `${keyword} is no longer ${String(was)}` : `${keyword} became ${String(is)}`;
    return [judge(where, what, tighter ? 'stricter' : 'looser', direction)];
  });
}

/**
 * Findings for formats and similar keywords. Whether a changed keyword allows more or less cannot be determined, so a change is a break in both
 * directions; a new keyword is stricter, and a removed one is looser.
 */
export function shapeFindings(where: string, before: Json, after: Json, direction: Direction): Finding[] {
  return ['format', 'pattern', 'multipleOf', 'uniqueItems', 'contentEncoding', 'contentMediaType'].flatMap((keyword) => {
    const [was, is] = [before[keyword] || undefined, after[keyword] || undefined];
    if (was === is) return [];
    if (was === undefined) return [judge(where, `${keyword} became ${String(is)}`, 'stricter', direction)];
    if (is === undefined) return [judge(where, `${keyword} is no longer ${String(was)}`, 'looser', direction)];
    return [breaking(where, `${keyword} became ${String(is)}`)];
  });
}

type Values = { list: readonly unknown[]; closed: boolean };

/** The values that a schema lists: `const` and `enum` are closed; `x-extensible-enum` is open, so that readers expect more values. */
function valuesOf(schema: Json): Values | undefined {
  if (schema['const'] !== undefined) return { list: [schema['const']], closed: true };
  if (Array.isArray(schema['enum'])) return { list: schema['enum'], closed: true };
  const open = schema['x-extensible-enum'];
  return Array.isArray(open) ? { list: open, closed: false } : undefined;
}

/** Findings for listed values. A new value in a response breaks readers of a closed list, and is a note for an open one. */
export function valueFindings(where: string, before: Json, after: Json, direction: Direction): Finding[] {
  const [was, is] = [valuesOf(before), valuesOf(after)];
  const [closedBefore, closedAfter] = [was?.closed === true, is?.closed === true];
  if (!closedBefore && closedAfter) return [judge(where, `is now limited to ${is?.list.join(', ')}`, 'stricter', direction)];
  if (closedBefore && !closedAfter) return [judge(where, `is no longer limited to ${was?.list.join(', ')}`, 'looser', direction)];
  if (was === undefined && is === undefined) return [];
  const added = (is?.list ?? []).filter((value) => !was?.list.includes(value));
  const gone = (was?.list ?? []).filter((value) => !is?.list.includes(value));
  if (!closedBefore) return [...added.map((value) => note(where, `may be ${String(value)}`)), ...gone.map((value) => note(where, `no longer lists ${String(value)}`))];
  const [more, less] = direction === 'request' ? ['also accepts', 'no longer accepts'] : ['may now be', 'is no longer'];
  return [
    ...gone.map((value) => judge(where, `${less} ${String(value)}`, 'stricter', direction)),
    ...added.map((value) => judge(where, `${more} ${String(value)}`, 'looser', direction)),
  ];
}
