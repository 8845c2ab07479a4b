import { hash } from 'node:crypto';
import type { DataSource, SelectQueryBuilder } from 'typeorm';
import type { Entity } from './entity.ts';
import type { List, Queryable, Values } from './handles.ts';
import { followsSql, pageOf, type Keyset } from './keyset.ts';
import { query } from './query.ts';
import { isoMicros } from './sql.ts';

type Parts = {
  columns: readonly string[];
  selections: readonly { name: string; expression: string }[];
  conditions: readonly string[];
  values: Values;
  name?: string;
};

/**
 * TypeORM's query builder composes the statement, and `query` runs it, so that it uses the transaction's own connection and throws our errors. The
 * builder's `getMany` would make a Date of each instant, which loses the microseconds, so that a cursor made from it skips or repeats rows.
 */
export function createList<R extends object>(
  on: { orm: DataSource; db: Queryable },
  entity: Entity<R>,
  alias: string,
): List<R> {
  return listOf<R>({ columns: entity.selected, selections: [], conditions: [], values: {} });

  function listOf<T extends object>(parts: Parts): List<T> {
    return {
      only: (...columns) => listOf({ ...parts, columns }),
      select: (name, expression, values = {}) =>
        listOf({
          ...parts,
          selections: [...parts.selections, { name, expression }],
          values: { ...parts.values, ...values },
        }),
      where: (condition, values = {}) =>
        Object.values(values).includes(undefined)
          ? listOf(parts)
          : listOf({
              ...parts,
              conditions: [...parts.conditions, condition],
              values: { ...parts.values, ...values },
            }),
      prepared: (name) => listOf({ ...parts, name }),
      async page(order, { after, limit }) {
        const rows = await read<T>(after === undefined ? parts : startingAfter(parts, order, after), order, limit + 1);
        return pageOf(rows, order, limit);
      },
      first: async (order, limit) => await read<T>(parts, order, limit),
    };
  }

  async function read<T extends object>(parts: Parts, order: Keyset, limit: number): Promise<T[]> {
    const { text, names } = compose(on.orm, entity, alias, { ...parts, order });
    const values = [...names.map((name) => parts.values[name]), limit];
    const name = parts.name === undefined ? {} : { name: `${parts.name}_${hash('sha1', text).slice(0, 8)}` };
    return await query<T>(on.db, { ...name, text, values });
  }
}

function startingAfter(parts: Parts, order: Keyset, after: readonly string[]): Parts {
  const position = Object.fromEntries(after.map((value, index) => [`after_${index}`, value]));
  const placeholders = Object.keys(position).map((name) => `:${name}`);
  return {
    ...parts,
    conditions: [...parts.conditions, followsSql(order, placeholders)],
    values: { ...parts.values, ...position },
  };
}

type Shape = Parts & { order: Keyset };
type Composed = { text: string; names: readonly string[] };

/** Composing takes longer than some of the statements themselves; the code determines the number of different statements, so the cache is bounded. */
const composed = new WeakMap<DataSource, Map<string, Composed>>();

function compose<R extends object>(orm: DataSource, entity: Entity<R>, alias: string, shape: Shape): Composed {
  const shapes = composed.get(orm) ?? new Map<string, Composed>();
  composed.set(orm, shapes);
  const { columns, selections, conditions, order } = shape;
  const key = JSON.stringify([entity.table, alias, columns, selections, conditions, order]);
  let found = shapes.get(key);
  if (found === undefined) {
    found = composeWithBuilder(orm, entity, alias, shape);
    shapes.set(key, found);
  }
  return found;
}

function composeWithBuilder<R extends object>(
  orm: DataSource,
  { schema, columns: definitions }: Entity<R>,
  alias: string,
  { columns, selections, conditions, values, order }: Shape,
): Composed {
  const builder: SelectQueryBuilder<R> = orm.createQueryBuilder(schema, alias).select([]);
  for (const property of columns) {
    const column = `${alias}.${property}`;
    builder.addSelect(
      definitions[property]?.type === 'timestamp with time zone' ? isoMicros(column) : column,
      property,
    );
  }
  for (const { name, expression } of selections) builder.addSelect(expression, name);
  for (const condition of conditions) builder.andWhere(`(${condition})`);
  for (const { sql, nulls } of Object.values(order.columns)) builder.addOrderBy(sql, order.direction, nulls);
  // each parameter's value is its own name, so that the builder's result shows the order of the numbered parameters
  builder.setParameters(Object.fromEntries(Object.keys(values).map((name) => [name, name])));
  const [text, inOrder] = builder.getQueryAndParameters();
  return { text: `${text} LIMIT $${inOrder.length + 1}`, names: inOrder as string[] };
}
