import { EntitySchema } from 'typeorm';

/** A mapped column. */
export type ColumnDefinition = {
  /** The type's full name, as in `information_schema`. */
  type: 'bigint' | 'boolean' | 'inet' | 'integer' | 'text' | 'timestamp with time zone' | 'uuid';
  /** The column, if its name differs from the property's. */
  name?: string;
  nullable?: true;
  /** `false`: the column can be used in conditions, but is not part of the rows. */
  select?: false;
};

/** A table whose rows `list` reads. In rows, instants are text in ISO 8601 with microseconds; all other values have the form that pg returns. */
export type Entity<R extends object> = {
  table: string;
  columns: Readonly<Record<string, ColumnDefinition>>;
  /** The other columns of the table. A test compares all columns with the migrated table. */
  unmapped: readonly string[];
  /** The names of the columns that rows have. */
  selected: readonly string[];
  schema: EntitySchema<R>;
};

type EntityOptions<R extends object> = {
  table: string;
  /**
   * The columns by property: those that are part of the rows, in the order of their names in `information_schema`, and those for conditions only
   * (`select: false`).
   */
  columns: { readonly [K in keyof R]: ColumnDefinition } & Readonly<Record<string, ColumnDefinition>>;
  unmapped?: readonly string[];
};

/** Maps a table for `list`. The mapping is read-only: it has no relations, and it is never used to save rows. */
export function defineEntity<R extends object>({ table, columns, unmapped = [] }: EntityOptions<R>): Entity<R> {
  const definitions: Readonly<Record<string, ColumnDefinition>> = columns;
  // TypeORM requires a primary key, although reading lists of columns does not use it
  const [first] = Object.keys(definitions);
  const schema = new EntitySchema<R>({
    name: table,
    tableName: table,
    columns: Object.fromEntries(
      Object.entries(definitions).map(([property, { type, name = property, nullable = false }]) => [
        property,
        { type, name, nullable, primary: property === first },
      ]),
    ) as EntitySchema<R>['options']['columns'],
  });
  const selected = Object.keys(definitions).filter((property) => definitions[property]?.select !== false);
  return { table, columns: definitions, unmapped, selected, schema };
}
