import type { Database, Entity } from '@taskwire/postgres';

type TableColumn = { table: string; name: string; type: string; isNullable: boolean };

const selectColumns = `
  SELECT table_name AS "table", column_name AS name, data_type AS type, is_nullable = 'YES' AS "isNullable"
  FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1`;

/**
 * The differences between an entity and its migrated table: columns that are missing or have another type or nullability, and columns of the table
 * that the entity neither maps nor lists as unmapped. (TypeORM's own comparison would drop indexes and constraints that it does not know.)
 */
export async function entityFaults(db: Database, { table, columns, unmapped }: Entity<object>): Promise<string[]> {
  const found = new Map((await db.query<TableColumn>(selectColumns, [table])).map((column) => [column.name, column]));
  const mapped = new Set(Object.entries(columns).map(([property, { name = property }]) => name));
  return [
    ...Object.entries(columns).flatMap(([property, { name = property, type, nullable = false }]) => {
      const column = found.get(name);
      if (column === undefined) return [`${table}.${name} does not exist`];
      return [
        ...(column.type === type ? [] : [`${table}.${name} is ${column.type}, not ${type}`]),
        ...(column.isNullable === nullable ? [] : [`${table}.${name} is ${column.isNullable ? '' : 'not '}nullable`]),
      ];
    }),
    ...[...found.keys()]
      .filter((name) => !mapped.has(name) && !unmapped.includes(name))
      .map((name) => `${table}.${name} is not mapped`),
    ...unmapped
      .filter((name) => !found.has(name) || mapped.has(name))
      .map((name) => `${table}.${name} is not an unmapped column`),
  ];
}

/** Declares a test (mocha) that a service's entities agree with its migrations. A canary proves that the comparison can fail. */
export function describeEntities(
  entities: readonly Entity<object>[],
  { database, canary }: { database: () => Database; canary: Entity<object> },
): void {
  describe('entities', () => {
    for (const entity of entities) {
      it(`agree with the migrations: ${entity.table}`, async () => {
        const faults = await entityFaults(database(), entity);
        if (faults.length > 0) throw new Error(faults.join('; '));
      });
    }

    it('are reported when they disagree with the migrations', async () => {
      const faults = await entityFaults(database(), canary);
      for (const expected of ['does not exist', 'is text, not integer', 'is not nullable', 'is not mapped']) {
        if (!faults.some((fault) => fault.endsWith(expected)))
          throw new Error(`no fault "${expected}" in: ${faults.join('; ')}`);
      }
    });
  });
}
