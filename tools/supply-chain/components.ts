import { z } from 'zod';

const licenceSchema = z.union([
  z.object({ expression: z.string() }),
  z.object({ license: z.object({ id: z.string().optional(), name: z.string().optional() }) }),
]);
const materialsSchema = z.object({
  bomFormat: z.literal('CycloneDX'),
  components: z.array(
    z.object({
      group: z.string().optional(),
      name: z.string(),
      version: z.string(),
      licenses: z.array(licenceSchema).optional(),
    }),
  ),
});

/** A third-party package, with its licences as SPDX ids or expressions. */
export type Component = { name: string; version: string; licences: string[] };

/** Returns the third-party packages in a bill of materials. @throws if there are none, because an empty bill must not pass. */
export function componentsOf(text: string): Component[] {
  const { components } = materialsSchema.parse(JSON.parse(text));
  const others = components.filter(({ group }) => group !== '@taskwire');
  if (others.length === 0) throw new Error('the bill of materials lists no package');
  return others.map(({ group, name, version, licenses = [] }) => ({
    name: group === undefined ? name : `${group}/${name}`,
    version,
    licences: licenses.map((each) =>
      'expression' in each ? each.expression : (each.license.id ?? each.license.name ?? 'unknown'),
    ),
  }));
}

/** Licences that require no more than a notice. */
const allowed = new Set([
  'MIT',
  'MIT-0',
  'ISC',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '0BSD',
  'Apache-2.0',
  'Unlicense',
  'CC0-1.0',
  'BlueOak-1.0.0',
]);

/**
 * Returns the packages whose licence is not allowed, or that state none. Of alternative licences, one must be allowed; of combined licences, all must
 * be.
 */
export function licenceFaults(components: readonly Component[]): string[] {
  return components.flatMap(({ name, version, licences }) => {
    if (licences.length > 0 && licences.every(isAllowed)) return [];
    return [`${name} ${version}: ${licences.length === 0 ? 'no licence' : licences.join(', ')}`];
  });
}

function isAllowed(expression: string): boolean {
  const alternatives = expression.replaceAll(/[()]/g, '').split(' OR ');
  // "A OR B AND C" would need a parser; none of our dependencies has such an expression, and refusing it is safe
  if (alternatives.length > 1 && expression.includes(' AND ')) return false;
  return alternatives.some((each) => each.split(' AND ').every((id) => allowed.has(id.trim())));
}
