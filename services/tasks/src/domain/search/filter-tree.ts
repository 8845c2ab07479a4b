import { invalidField } from '../invalid-field.ts';
import { utcInstant } from '../instant.ts';
import { addInZone, parseDuration } from '../schedules/duration.ts';

/** A filter of tasks, as a tree of conditions. */
export type FilterNode =
  | { kind: 'and' | 'or'; nodes: readonly FilterNode[] }
  | { kind: 'not'; node: FilterNode }
  /** The field has one of the values; null stands for no assignee, no project, no parent or no due date. */
  | { kind: 'is'; field: ValueField | 'due_at'; values: readonly (string | null)[] }
  /** Whether the task waits for one that has not ended. */
  | { kind: 'blocked'; is: boolean }
  /** `at` is an instant in UTC. */
  | { kind: 'time'; field: TimeField; compare: '<' | '<=' | '>' | '>='; at: string };

type ValueField = (typeof valueFields)[number];
type TimeField = (typeof timeFields)[number];

/** The context of a filter's values. `now` is in milliseconds. */
type Reader = { callerId: string; now: number };

const mostNodes = 30;
const deepest = 5;
const mostValues = 50;

const choices: Partial<Record<string, readonly string[]>> = {
  state: ['draft', 'assigned', 'in_progress', 'completed', 'cancelled'],
  priority: ['low', 'normal', 'high', 'urgent'],
  kind: ['task', 'job'],
};
const valueFields = [
  ...(['state', 'priority', 'kind', 'label'] as const),
  ...(['assignee', 'creator', 'project', 'parent', 'blocks', 'blocked_by'] as const),
] as const;
const timeFields = ['due_at', 'created_at', 'updated_at'] as const;

/** The fields of conditions. */
export const treeFields = [...valueFields, 'blocked', ...timeFields] as const;

/** The words that a field with ids also takes: `me` for the caller, `none` for a missing value. */
const wordsBesideIds: Readonly<Partial<Record<ValueField, { of: string; words: readonly ('me' | 'none')[] }>>> = {
  assignee: { of: 'a user', words: ['me', 'none'] },
  creator: { of: 'a user', words: ['me'] },
  project: { of: 'a project', words: ['none'] },
  parent: { of: 'a task', words: ['none'] },
  blocks: { of: 'a task', words: [] },
  blocked_by: { of: 'a task', words: [] },
};
const comparisons = { lt: '<', lte: '<=', gt: '>', gte: '>=' } as const;
const uuid = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;

/**
 * Reads a filter such as `{"and": [{"field": "due_at", "op": "lt", "value": "P7D"}, {"not": {"field": "label", "op": "eq", "value": "home"}}]}`.
 * @throws Problem `invalid_input` that names the node at fault.
 */
export function readFilterTree(given: unknown, reader: Reader): FilterNode {
  let nodes = 0;

  function read(node: unknown, path: string, depth: number): FilterNode {
    nodes += 1;
    if (nodes > mostNodes) throw invalidField(path, 'too_many_nodes', `is one of more than ${mostNodes} nodes`);
    if (depth > deepest) throw invalidField(path, 'too_deep', `must not be deeper than ${deepest} levels`);
    if (typeof node !== 'object' || node === null || Array.isArray(node)) throw notANode(path);
    const names = Object.keys(node);
    const [name = ''] = names;
    if (names.length === 1 && (name === 'and' || name === 'or')) {
      const inner: unknown = Reflect.get(node, name);
      if (!Array.isArray(inner) || inner.length === 0)
        throw invalidField(`${path}.${name}`, 'invalid_type', 'must be a list of one node or more');
      const read1 = (one: unknown, place: number) => read(one, `${path}.${name}.${place}`, depth + 1);
      return { kind: name, nodes: inner.map(read1) };
    }
    if (names.length === 1 && name === 'not')
      return { kind: 'not', node: read(Reflect.get(node, 'not'), `${path}.not`, depth + 1) };
    const surplus = names.find((one) => !['field', 'op', 'value'].includes(one));
    if (surplus !== undefined || names.length !== 3) throw notANode(path);
    return readCondition(node as Condition, path, reader);
  }

  return read(given, 'filter', 1);
}

type Condition = { field: unknown; op: unknown; value: unknown };

function notANode(path: string) {
  const message = 'must be {"and": […]}, {"or": […]}, {"not": …} or {"field": …, "op": …, "value": …}';
  return invalidField(path, 'invalid_node', message);
}

function readCondition({ field, op, value }: Condition, path: string, reader: Reader): FilterNode {
  const valueField = valueFields.find((one) => one === field);
  const timeField = timeFields.find((one) => one === field);
  if (valueField !== undefined) return readValues(valueField, { op, value }, path, reader);
  if (timeField !== undefined) return readTime(timeField, { op, value }, path, reader);
  if (field === 'blocked') return readBlocked({ op, value }, path);
  throw invalidField(`${path}.field`, 'invalid_value', `must be one of ${treeFields.join(', ')}`);
}

function readBlocked({ op, value }: Omit<Condition, 'field'>, path: string): FilterNode {
  if (op !== 'eq' && op !== 'ne') throw invalidField(`${path}.op`, 'invalid_value', 'must be eq or ne');
  if (typeof value !== 'boolean') throw invalidField(`${path}.value`, 'invalid_type', 'must be true or false');
  return { kind: 'blocked', is: value === (op === 'eq') };
}

function readValues(
  field: ValueField,
  { op, value }: Omit<Condition, 'field'>,
  path: string,
  reader: Reader,
): FilterNode {
  if (op !== 'eq' && op !== 'ne' && op !== 'in')
    throw invalidField(`${path}.op`, 'invalid_value', 'must be eq, ne or in');
  const given: unknown[] | undefined = op === 'in' ? (Array.isArray(value) ? value : undefined) : [value];
  if (given === undefined || given.length === 0 || given.length > mostValues)
    throw invalidField(`${path}.value`, 'invalid_type', `must be a list of 1 to ${mostValues} values`);
  const values = given.map((one) => readValue(field, one, `${path}.value`, reader));
  const is = { kind: 'is', field, values } as const;
  return op === 'ne' ? { kind: 'not', node: is } : is;
}

function readValue(field: ValueField, value: unknown, path: string, { callerId }: Reader): string | null {
  const known = choices[field];
  if (typeof value !== 'string' || value.includes('\0')) throw invalidField(path, 'invalid_type', 'must be a text');
  if (known !== undefined) {
    if (known.includes(value)) return value;
    throw invalidField(path, 'invalid_value', `must be one of ${known.join(', ')}`);
  }
  if (field === 'label') return value.normalize('NFC');
  if (uuid.test(value)) return value.toLowerCase();
  const { of, words } = wordsBesideIds[field] ?? { of: 'a task', words: [] };
  const word = words.find((one) => one === value);
  if (word === undefined)
    throw invalidField(path, 'invalid_value', `must be ${[`the id of ${of}`, ...words].join(' or ')}`);
  return word === 'me' ? callerId : null;
}

function readTime(
  field: TimeField,
  { op, value }: Omit<Condition, 'field'>,
  path: string,
  { now }: Reader,
): FilterNode {
  if (value === null && field === 'due_at' && (op === 'eq' || op === 'ne')) {
    const none = { kind: 'is', field, values: [null] } as const;
    return op === 'eq' ? none : { kind: 'not', node: none };
  }
  const compare = Object.entries(comparisons).find(([name]) => name === op)?.[1];
  if (compare === undefined) {
    const alternatives = field === 'due_at' ? ', or eq or ne with null' : '';
    throw invalidField(`${path}.op`, 'invalid_value', `must be lt, lte, gt or gte${alternatives}`);
  }
  return { kind: 'time', field, compare, at: readInstant(value, `${path}.value`, now) };
}

const instant = /^(?!0000)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-](0\d|1[0-5]):\d\d)$/;

/** An instant, given as a time or as a duration from now (with a minus sign, before now). Days have 24 hours. */
function readInstant(value: unknown, path: string, now: number): string {
  const text = typeof value === 'string' ? value : '';
  const isBefore = text.startsWith('-');
  const length = parseDuration(isBefore ? text.slice(1) : text);
  if (length !== undefined) {
    const sign = isBefore ? -1 : 1;
    const at = addInZone(now, { days: sign * length.days, seconds: sign * length.seconds }, 'UTC');
    return utcInstant(new Date(at).toISOString(), path);
  }
  if (instant.test(text) && !Number.isNaN(Date.parse(text))) return utcInstant(text, path);
  throw invalidField(
    path,
    'invalid_value',
    'must be a time with an offset, for example 2026-11-28T12:00:00Z, or a duration from now, for example P7D or -P1D',
  );
}
