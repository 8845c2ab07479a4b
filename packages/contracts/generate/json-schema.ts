import { z } from 'zod';
import * as schemas from '../src/rest/schemas.ts';
import { tokenResponse } from '../src/rest/oauth.ts';
import { consent, openSession } from '../src/rest/sessions.ts';
import { deadLetter, deadLetterDetail } from '../src/rest/dead-letters.ts';

/** A JSON Schema (draft 2020-12, as OpenAPI 3.1 uses it). */
export type JsonSchema = { [keyword: string]: unknown };

/** Schemas that documents define once, under these names. */
const shared: Readonly<Record<string, z.ZodType>> = {
  User: schemas.user,
  ListedUser: schemas.listedUser,
  InternalUser: schemas.internalUser,
  Task: schemas.task,
  Activity: schemas.activity,
  Notification: schemas.notification,
  DeadLetter: deadLetter,
  DeadLetterDetail: deadLetterDetail,
  Session: openSession,
  Consent: consent,
  TokenResponse: tokenResponse,
  FieldError: schemas.fieldError,
  Problem: schemas.problem,
};

type Names = ReadonlyMap<unknown, string>;

const nameOf: Names = new Map(Object.entries(shared).map(([name, schema]) => [schema, name]));

/** The JSON Schema of values that callers send, before defaults and transforms. */
export function inputSchema(schema: z.ZodType): JsonSchema {
  return convert(schema, 'input');
}

/** The JSON Schema of values that callers receive. Additional fields are not forbidden, since fields may be added at any time. */
export function outputSchema(schema: z.ZodType): JsonSchema {
  return convert(schema, 'output');
}

/** The same as `outputSchema`, with references to `#/components/schemas/…` for shared schemas. */
export function referringSchema(schema: z.ZodType): JsonSchema {
  const name = nameOf.get(schema);
  return name === undefined ? convert(schema, 'output', nameOf) : reference(name);
}

/** The shared schemas that a document refers to, directly or through one another, by name. */
export function componentsOf(document: unknown): Record<string, JsonSchema> {
  const components: Record<string, JsonSchema> = {};
  const queue = referencesIn(document);
  for (const name of queue) {
    const schema = shared[name];
    if (schema === undefined || name in components) continue;
    components[name] = convert(schema, 'output', nameOf);
    queue.push(...referencesIn(components[name]));
  }
  return Object.fromEntries(Object.entries(components).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function referencesIn(value: unknown): string[] {
  return [...JSON.stringify(value).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name ?? '');
}

function reference(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}` };
}

function convert(schema: z.ZodType, io: 'input' | 'output', names: Names = new Map()): JsonSchema {
  const { $schema: _, ...converted } = z.toJSONSchema(schema, {
    io,
    // a transform has no schema; its result is described in words
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema, path }) {
      const name = path.length > 0 ? names.get(zodSchema) : undefined;
      if (name !== undefined) {
        for (const keyword of Object.keys(jsonSchema)) Reflect.deleteProperty(jsonSchema, keyword);
        Object.assign(jsonSchema, reference(name));
        return;
      }
      // zod marks every object schema as closed; only a strictObject is meant to be
      if (zodSchema._zod.def.type === 'object' && !isStrict(zodSchema)) delete jsonSchema.additionalProperties;
      // every z.int() is a safe integer, so the bound adds nothing
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      // the patterns of these formats add nothing to the format
      if (jsonSchema.format === 'uuid' || jsonSchema.format === 'date-time') delete jsonSchema.pattern;
    },
  });
  return converted;
}

function isStrict(schema: z.core.$ZodType): boolean {
  return schema instanceof z.ZodObject && schema.def.catchall instanceof z.ZodNever;
}
