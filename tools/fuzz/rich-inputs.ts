import fc from 'fast-check';
import { valid } from './inputs.ts';
import type { Json, Operation } from './operations.ts';

/**
 * Bodies that their schema only outlines: the operations of a bulk request, whose bodies are those of other operations, and the tree of a filter. Other
 * bodies are made from the schema alone.
 */
export function validBody(operation: Operation, all: readonly Operation[]): fc.Arbitrary<unknown> {
  const schema = operation.body ?? {};
  if (operation.id === 'bulkTasks') return bulkBody(all);
  const { properties = {} } = schema as { properties?: Record<string, Json> };
  if (!('filter' in properties)) return valid(schema);
  return fc.tuple(valid(schema), fc.option(filterTree, { nil: undefined })).map(([body, filter]) => {
    const { filter: outlined, ...rest } = body as Json;
    return outlined === undefined || filter === undefined ? rest : { ...rest, filter };
  });
}

/** The operations of bulk requests, each with the id of the operation that it stands for, from the documentation of `op`. */
export function bulkOperationsOf(all: readonly Operation[]): Record<string, string> {
  const bulk = all.find(({ id }) => id === 'bulkTasks');
  if (bulk?.body === undefined) throw new Error('the contracts have no bulk request');
  type Body = { properties: { operations: { items: { properties: Record<string, Json> } } } };
  const { op = {} } = (bulk.body as Body).properties.operations.items.properties;
  const named = new Map(
    [...String(op['description']).matchAll(/(\w+) \(`(\w+)`\)/g)].map(([, name = '', id = '']) => [name, id]),
  );
  return Object.fromEntries((op['enum'] as string[]).map((name) => [name, named.get(name) ?? '']));
}

/** A creation, and operations on its task or on others. */
function bulkBody(all: readonly Operation[]): fc.Arbitrary<unknown> {
  const bodyOf = (id: string) => valid(all.find((one) => one.id === id)?.body ?? { type: 'object' });
  const operations = Object.entries(bulkOperationsOf(all)).map(([op, id]) => {
    const target =
      op === 'create' ? fc.constant({}) : fc.oneof(fc.record({ id: fc.uuid() }), fc.constant({ ref: '$0' }));
    const other = fc.oneof(fc.record({ other_id: fc.uuid() }), fc.constant({ other_ref: '$0' }));
    const named =
      op === 'block' || op === 'unblock' ? fc.tuple(target, other).map(([one, two]) => ({ ...one, ...two })) : target;
    return fc
      .record({ body: bodyOf(id), if_match: fc.option(fc.constantFrom('*', '"1"'), { nil: undefined }), target: named })
      .map(({ target: where, ...rest }) => ({ op, ...where, ...rest }));
  });
  const creation = fc.constant({ op: 'create', body: { title: 'The first task' } });
  return fc.record(
    {
      atomic: fc.boolean(),
      operations: fc
        .tuple(creation, fc.array(fc.oneof(...operations), { maxLength: 6 }))
        .map(([first, rest]) => [first, ...rest]),
    },
    { requiredKeys: ['operations'] },
  );
}

const among = (...values: unknown[]) => fc.constantFrom(...values);
const anId = (...words: string[]) => fc.oneof(fc.uuid(), ...words.map((word) => fc.constant(word)));
const times = among('2026-11-28T12:00:00Z', 'P7D', '-P1D', '-PT1H');

/** The values of each field of a condition. The documentation of the filter names the same fields, as a test checks. */
export const conditionValues: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  state: among('draft', 'assigned', 'in_progress', 'completed', 'cancelled'),
  priority: among('low', 'normal', 'high', 'urgent'),
  kind: among('task', 'job'),
  label: among('home', 'garden', ''),
  assignee: anId('me', 'none'),
  creator: anId('me'),
  project: anId('none'),
  parent: anId('none'),
  blocks: anId(),
  blocked_by: anId(),
  blocked: fc.boolean(),
  due_at: times,
  created_at: times,
  updated_at: times,
};

const timeFields = new Set(['due_at', 'created_at', 'updated_at']);

const condition: fc.Arbitrary<Json> = fc.oneof(
  ...Object.entries(conditionValues).map(([field, value]) => {
    if (timeFields.has(field))
      return fc.record({ field: fc.constant(field), op: among('lt', 'lte', 'gt', 'gte'), value });
    const single = fc.record({ field: fc.constant(field), op: among('eq', 'ne'), value });
    if (field === 'blocked') return single;
    const several = fc.array(value, { minLength: 1, maxLength: 4 });
    return fc.oneof(single, fc.record({ field: fc.constant(field), op: fc.constant('in'), value: several }));
  }),
);

const group = (nodes: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> => {
  const list = fc.array(nodes, { minLength: 1, maxLength: 3 });
  return fc.oneof(fc.record({ and: list }), fc.record({ or: list }), fc.record({ not: nodes }));
};

/** A tree of at most three levels. */
const filterTree: fc.Arbitrary<unknown> = fc.oneof(condition, group(fc.oneof(condition, group(condition))));
