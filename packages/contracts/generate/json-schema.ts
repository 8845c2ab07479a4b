import { z } from 'zod';
import * as schemas from '../src/rest/schemas.ts';
import { auditEntry } from '../src/rest/audit.ts';
import { invitation } from '../src/rest/invitations.ts';
import { tokenError, tokenResponse } from '../src/rest/oauth.ts';
import { consent, openSession } from '../src/rest/sessions.ts';
import { deadLetter, deadLetterDetail } from '../src/rest/dead-letters.ts';
import { scheduleSchemas } from '../src/rest/schedule-schemas.ts';

/** A JSON Schema (draft 2020-12, as used by OpenAPI 3.1). */
export type JsonSchema = { [keyword: string]: unknown };

/** Schemas that documents define once, under these names. */
const shared: Readonly<Record<string, z.ZodType>> = {
  Role: schemas.role,
  TaskState: schemas.taskState,
  Priority: schemas.priority,
  User: schemas.user,
  ListedUser: schemas.listedUser,
  InternalUser: schemas.internalUser,
  InternalTask: schemas.internalTask,
  Task: schemas.task,
  Activity: schemas.activity,
  Notification: schemas.notification,
  PlannedOccurrence: scheduleSchemas.plannedOccurrence,
  Occurrence: scheduleSchemas.occurrence,
  Schedule: scheduleSchemas.schedule,
  DeadLetter: deadLetter,
  DeadLetterDetail: deadLetterDetail,
  Session: openSession,
  Consent: consent,
  TokenResponse: tokenResponse,
  Invitation: invitation,
  AuditEntry: auditEntry,
  OAuthError: tokenError,
  FieldError: schemas.fieldError,
  Problem: schemas.problem,
};

type Names = ReadonlyMap<unknown, string>;

const nameOf: Names = new Map(Object.entries(shared).map(([name, schema]) => [schema, name]));
const enumNames: Names = new Map([...nameOf].filter(([schema]) => schema instanceof z.ZodEnum));

/** The JSON Schema of values that callers send, before defaults and transforms. */
export function inputSchema(schema: z.ZodType): JsonSchema {
  return convert(schema, 'input');
}

/** The JSON Schema of values that callers receive. Additional fields are not forbidden, since fields may be added at any time. */
export function outputSchema(schema: z.ZodType): JsonSchema {
  return convert(schema, 'output');
}

/** The same as `outputSchema`, with references to `#/components/schemas/…` for the shared schemas in it. */
export function referringSchema(schema: z.ZodType): JsonSchema {
  return convert(schema, 'output', nameOf);
}

/** The same as `inputSchema`, with references to shared schemas. Only enums are shared, because only they are the same in requests and responses. */
export function referringInputSchema(schema: z.ZodType): JsonSchema {
  return convert(schema, 'input', enumNames);
}

/** The name of a shared schema. */
export function sharedNameOf(schema: z.ZodType): string | undefined {
  return nameOf.get(schema);
}

/** The schemas that a document defines: its own, and the shared schemas to which it refers directly or indirectly, by name. */
export function componentsOf(document: unknown, own: Readonly<Record<string, JsonSchema>>): Record<string, JsonSchema> {
  const components: Record<string, JsonSchema> = { ...own };
  const queue = referencesIn([document, own]);
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

/** A reference to a schema of the components. */
export function schemaReference(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}` };
}

function convert(schema: z.ZodType, io: 'input' | 'output', names: Names = new Map()): JsonSchema {
  const { $schema: _, ...converted } = z.toJSONSchema(schema, {
    io,
    // a transform has no schema; its description explains the result
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema, path }) {
      const name = path.length > 0 ? names.get(zodSchema) : undefined;
      if (name !== undefined) {
        for (const keyword of Object.keys(jsonSchema)) Reflect.deleteProperty(jsonSchema, keyword);
        Object.assign(jsonSchema, schemaReference(name));
        return;
      }
      // zod marks every object schema as closed; only a strictObject should be closed
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
