import fc from 'fast-check';
import type { Json } from './operations.ts';

/** Generates values that a schema accepts. Rules that a schema cannot express (such as a name without an address) may still refuse them. */
export function valid(schema: Json): fc.Arbitrary<unknown> {
  if (schema['const'] !== undefined) return fc.constant(schema['const']);
  if (Array.isArray(schema['enum'])) return fc.constantFrom(...(schema['enum'] as unknown[]));
  for (const choices of [schema['anyOf'], schema['oneOf']])
    if (Array.isArray(choices)) return fc.oneof(...(choices as Json[]).map(valid));
  const { type } = schema;
  if (Array.isArray(type)) return fc.oneof(...type.map((each: unknown) => valid({ ...schema, type: each })));
  switch (type) {
    case 'object':
      return validObject(schema);
    case 'array':
      return fc.array(valid((schema['items'] ?? {}) as Json), {
        minLength: number(schema['minItems'], 0),
        maxLength: Math.min(4, number(schema['maxItems'], 4)),
      });
    case 'integer':
    case 'number':
      return fc.integer({ min: number(schema['minimum'], -1000), max: number(schema['maximum'], 1000) });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
  }
  return validText(schema);
}

function validText(schema: Json): fc.Arbitrary<string> {
  if (schema['format'] === 'uuid') return fc.uuid();
  if (schema['format'] === 'date-time')
    return fc
      .date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true })
      .map((date) => date.toISOString());
  const [minLength, maxLength] = [number(schema['minLength'], 0), number(schema['maxLength'], 300)];
  const pattern = new RegExp(typeof schema['pattern'] === 'string' ? schema['pattern'] : '', 'u');
  if (!isAboutControls(pattern.source))
    return fc
      .stringMatching(new RegExp(pattern.source.replaceAll(/\(\?=[^)]*\)/g, '')))
      .filter((text) => pattern.test(text) && text.length >= minLength && text.length <= maxLength);
  const lengths = { minLength, maxLength: Math.max(minLength, Math.min(maxLength, 300)) };
  return fc.oneof(
    {
      weight: 3,
      arbitrary: fc
        .stringMatching(/^[a-z][a-z .,-]{0,30}[a-z]$/)
        .filter((text) => text.length >= minLength && text.length <= maxLength),
    },
    fc
      .string({ ...lengths, unit: 'grapheme' })
      .map((text) => text.slice(0, maxLength))
      .filter((text) => pattern.test(text) && text.length >= minLength),
  );
}

/**
 * Whether a pattern accepts everything, or only excludes control characters, which most text lacks. Text for any other pattern is made from it, without
 * the assertions `(?=…)`, which fast-check does not support.
 */
function isAboutControls(pattern: string): boolean {
  return pattern === '(?:)' || pattern.startsWith(String.raw`^[^\u0000`);
}

function validObject(schema: Json): fc.Arbitrary<unknown> {
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, Json>);
  const required = (schema['required'] ?? []) as string[];
  return fc.record(Object.fromEntries(properties.map(([name, property]) => [name, valid(property)])), {
    requiredKeys: required.filter((name) => properties.some(([known]) => known === name)),
  });
}

function number(value: unknown, otherwise: number): number {
  return typeof value === 'number' ? value : otherwise;
}

/** Generates bodies that the schema rejects: each is a valid body with a single fault. */
export function invalid(schema: Json): fc.Arbitrary<unknown> {
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, Json>);
  const required = (schema['required'] ?? []) as string[];
  const faults: ((body: Json) => unknown)[] = [() => [], () => 'text', () => null, () => 7];
  if (schema['additionalProperties'] === false) faults.push((body) => ({ ...body, surplus: 1 }));
  for (const name of required) faults.push((body) => ({ ...body, [name]: undefined }));
  for (const [name, property] of properties) {
    if (isRestricted(property)) faults.push((body) => ({ ...body, [name]: { not: 'this' } }));
    if (typeof property['maxLength'] === 'number') {
      const length = property['maxLength'] + 1;
      faults.push((body) => ({ ...body, [name]: 'x'.repeat(length) }));
    }
    if (Array.isArray(property['enum'])) faults.push((body) => ({ ...body, [name]: 'no such value' }));
  }
  return fc.tuple(valid(schema), fc.constantFrom(...faults)).map(([body, fault]) => fault(body as Json));
}

/** Whether a schema rejects an object with an unknown field. One without a type accepts every JSON value. */
function isRestricted(schema: Json): boolean {
  for (const choices of [schema['anyOf'], schema['oneOf']])
    if (Array.isArray(choices)) return (choices as Json[]).every(isRestricted);
  if (schema['type'] === 'object') return schema['additionalProperties'] === false || Array.isArray(schema['required']);
  return ['type', 'enum', 'const'].some((keyword) => keyword in schema);
}
