import { hash } from 'node:crypto';
import type { DataSource, SelectQueryBuilder } from 'typeorm';
import type { Entity } from './entity.ts';
import type { Queryable } from './handles.ts';
import { followsSql, pageOf, type Keyset, type Page, type Place } from './keyset.ts';
import { query } from './query.ts';
import { isoMicros } from './sql.ts';

/** A list of an entity's rows. Conditions and expressions name columns as `alias.property`, and values as `:name`. */
export type List<R extends object> = {
  /** Adds a value to each row. */
  select<N extends string, V>(name: N, expression: string, values?: Values): List<R & Record<N, V>>;
  /** Adds a condition, unless one of its values is undefined: then the caller didn't ask for this filter. */
  where(condition: string, values?: Values): List<R>;
  /**
   * Prepares the statement under this name, followed by a hash of its text: for lists that are read often and have few combinations of filters. One
   * plan for all values of a filter would be wrong for some.
   */
  prepared(name: string): List<R>;
  /** @throws as `query` does. */
  page(order: Keyset, place: Place): Promise<Page<R>>;
};

type Values = Readonly<Record<string, unknown>>;

type Parts = {
  selections: readonly { name: string; expression: string }[];
  conditions: readonly string[];
  values: Values;
  name?: string;
};

/**
 * TypeORM's query builder composes the statement, and `query` runs it: on the transaction's own connection, and with our errors. The builder's
 * `getMany` would make a Date of each instant, which loses the microseconds, so that a cursor made from it skips or repeats rows.
 */
export function createList<R extends object>(on: { orm: DataSource; db: Queryable }, entity: Entity<R>, alias: string): List<R> {
  return listOf<R>({ selections: [], conditions: [], values: {} });

  function listOf<T extends object>(parts: Parts): List<T> {
    return {
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
        const position = Object.fromEntries((after ?? []).map((value, index) => [`after_${index}`, value]));
        const follows = followsSql(
          order,
          Object.keys(position).map((name) => `:${name}`),
        );
        const { text, names } = compose(on.orm, entity, alias, {
          ...parts,
          conditions: after === undefined ? parts.conditions : [...parts.conditions, follows],
          names: [...Object.keys(parts.values), ...Object.keys(position)],
          order,
        });
        const all: Values = { ...parts.values, ...position };
        const values = [...names.map((name) => all[name]), limit + 1];
        const name = parts.name === undefined ? {} : { name: `${parts.name}_${hash('sha1', text).slice(0, 8)}` };
        return pageOf(await query<T>(on.db, { ...name, text, values }), order, limit);
      },
    };
  }
}

type Shape = Pick<Parts, 'selections' | 'conditions'> & { names: readonly string[]; order: Keyset };
type Composed = { text: string; names: readonly string[] };

/** Composing takes longer than some of the statements themselves; the shapes are those of the code, so their number is bounded. */
const composed = new WeakMap<DataSource, Map<string, Composed>>();

function compose<R extends object>(orm: DataSource, entity: Entity<R>, alias: string, shape: Shape): Composed {
  const shapes = composed.get(orm) ?? new Map<string, Composed>();
  composed.set(orm, shapes);
  const key = JSON.stringify([entity.table, alias, shape]);
  let found = shapes.get(key);
  if (found === undefined) {
    found = composeWithBuilder(orm, entity, alias, shape);
    shapes.set(key, found);
  }
  return found;
}

function composeWithBuilder<R extends object>(
  orm: DataSource,
  { schema, selected, columns }: Entity<R>,
  alias: string,
  { selections, conditions, names, order }: Shape,
): Composed {
  const builder: SelectQueryBuilder<R> = orm.createQueryBuilder(schema, alias).select([]);
  for (const property of selected) {
    const column = `${alias}.${property}`;
    builder.addSelect(columns[property]?.type === 'timestamp with time zone' ? isoMicros(column) : column, property);
  }
  for (const { name, expression } of selections) builder.addSelect(expression, name);
  for (const condition of conditions) builder.andWhere(`(${condition})`);
  for (const { sql } of Object.values(order.columns)) builder.addOrderBy(sql, order.direction);
  // each value is its own name, so that the builder shows the order of the numbered parameters
  builder.setParameters(Object.fromEntries(names.map((name) => [name, name])));
  const [text, inOrder] = builder.getQueryAndParameters();
  return { text: `${text} LIMIT $${inOrder.length + 1}`, names: inOrder as string[] };
}
