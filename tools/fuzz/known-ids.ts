import type { Json } from './operations.ts';

/** The ids of what a sequence has created, by the last word of the path that created them, such as `tasks`; `users` has those of the run. */
export type KnownIds = ReadonlyMap<string, readonly string[]>;

/** What the fields and parameters that name something refer to. Those of assignees have rules of their own. */
const collections: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ['id', 'other_id', 'parent_id', 'parent', 'blocks', 'blocked_by', 'before_id', 'after_id'].map((name) => [
      name,
      'tasks',
    ]),
  ),
  ...{ project_id: 'projects', project: 'projects', view_id: 'views' },
  ...{ assignee: 'users', creator: 'users', user_id: 'users' },
};

const uuid = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;

/**
 * A body or query whose random ids are replaced by known ones, so that requests concern what exists. `pick` determines the choice; one request in four
 * keeps its ids.
 */
export function withKnownIds(value: unknown, known: KnownIds, pick: number, name = ''): unknown {
  if (pick % 4 === 0) return value;
  if (Array.isArray(value)) return value.map((one: unknown, place) => withKnownIds(one, known, pick + 4 * place, name));
  if (typeof value === 'object' && value !== null) {
    const { field, op, value: operand, ...rest } = value as Json;
    const isCondition = typeof field === 'string' && typeof op === 'string' && Object.keys(rest).length === 0;
    if (isCondition) return { field, op, value: withKnownIds(operand, known, pick, field) };
    return Object.fromEntries(
      Object.entries(value).map(([key, one]) => [key, withKnownIds(one, known, pick, key)] as const),
    );
  }
  if (typeof value !== 'string' || !uuid.test(value)) return value;
  const ids = known.get(collections[name] ?? '') ?? [];
  return ids[pick % Math.max(1, ids.length)] ?? value;
}
