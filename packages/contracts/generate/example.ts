import type { JsonSchema } from './json-schema.ts';

const uuid = '019a9d5e-4b7c-7cc1-8a53-6f0d2c1e9b42';
const instant = '2026-11-20T15:57:51.123456Z';

/** Examples that are more readable than values derived from a schema alone. */
const byName: Readonly<Record<string, unknown>> = {
  email: 'ann@example.com',
  name: 'Ann Example',
  password: 'a long password',
  current_password: 'a long password',
  new_password: 'another long password',
  link: 'http://localhost:8080/oidc/account/verify?token=twl_x',
  title: 'Count the chairs',
  time_zone: 'Europe/Berlin',
  expression: '0 9 * * *',
  due_in: 'P1D',
  jitter: 'PT1M',
  label: 'office',
  due_time_zone: 'Europe/Berlin',
  remind_before: 'P1D',
  grant_type: 'client_credentials',
  scope: 'users:read',
  resource: 'urn:taskwire:auth',
  queue: 'reports',
  kind: 'render_report',
  // overrides are for managers, and each for some transitions only
  force: false,
  override_blocked: false,
  lease_token: '019a9d5e-4b7c-7cc1-8a53-6f0d2c1e9b42.7',
  blocks: [],
  values: {},
  operations: [
    { op: 'create', body: { title: 'Count the chairs' } },
    { op: 'assign', ref: '$0', body: { assign: 'random' } },
  ],
};

/** A deterministic value that fits the schema. Optional properties are included, unless their value would be the default. */
export function exampleOf(schema: JsonSchema, name = ''): unknown {
  if (schema['const'] !== undefined) return schema['const'];
  const options = schema['enum'];
  if (Array.isArray(options)) return options[0];
  const branches = schema['anyOf'] ?? schema['oneOf'];
  if (Array.isArray(branches)) return exampleOf(branches[0] as JsonSchema, name);
  switch (schema['type']) {
    case 'object':
      return byName[name] ?? exampleObject(schema);
    case 'array':
      return byName[name] ?? [exampleOf((schema['items'] ?? {}) as JsonSchema, name.replace(/s$/, ''))];
    case 'integer':
    case 'number':
      return schema['minimum'] ?? 1;
    case 'boolean':
      return byName[name] ?? true;
    case 'null':
      return null;
  }
  if (schema['format'] === 'uuid') return uuid;
  if (schema['format'] === 'date-time') return instant;
  return byName[name] ?? 'text';
}

function exampleObject(schema: JsonSchema): unknown {
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, JsonSchema>);
  const wanted = properties.filter(([name, property]) => property['default'] === undefined && !isExclusive(name, schema));
  return Object.fromEntries(wanted.map(([name, property]) => [name, exampleOf(property, name)]));
}

/**
 * Whether a property excludes another one: a request has at most one of `assign`, `assignee_id` and `job`, and of `before_id` and `after_id`, and client
 * credentials are sent in the header.
 */
function isExclusive(name: string, schema: JsonSchema): boolean {
  const properties = (schema['properties'] ?? {}) as Record<string, JsonSchema>;
  if (name === 'after_id') return 'before_id' in properties;
  return (['assign', 'job'].includes(name) && 'assignee_id' in properties) || name.startsWith('client_');
}
