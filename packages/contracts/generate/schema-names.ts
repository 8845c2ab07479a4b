import type { z } from 'zod';
import type { Route } from '../src/rest/route.ts';
import { referringInputSchema, referringSchema, sharedNameOf, type JsonSchema } from './json-schema.ts';

/** The name of a request body in the components, derived from its operation. */
export function bodyNameOf({ operationId }: Route): string {
  return `${capitalized(operationId)}Request`;
}

/** The name of a response body in the components: the name of a shared schema, of a list's items, or of its operation. */
export function responseNameOf({ operationId }: Route, schema: z.ZodType): string {
  const shared = sharedNameOf(schema);
  if (shared !== undefined) return shared;
  const { data, next_cursor: cursor } = (referringSchema(schema)['properties'] ?? {}) as Record<string, JsonSchema>;
  const item = /\w+$/.exec(String((data?.['items'] as JsonSchema | undefined)?.['$ref'] ?? ''))?.[0];
  return cursor === undefined || item === undefined ? `${capitalized(operationId)}Response` : `${item}List`;
}

/** The schemas of all bodies of these routes by name, except shared ones. Client generators name their types after these. */
export function namedSchemas(routes: readonly Route[]): Record<string, JsonSchema> {
  const found: Record<string, JsonSchema> = {};
  for (const route of routes) {
    if (route.body !== undefined) found[bodyNameOf(route)] = referringInputSchema(route.body);
    for (const schema of Object.values(route.responses)) {
      if (schema !== null && sharedNameOf(schema) === undefined) found[responseNameOf(route, schema)] = referringSchema(schema);
    }
  }
  return found;
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
