import type { ColumnDef, Constraint, CreateFunctionStmt, CreateStmt, CreateTrigStmt, IndexStmt } from 'libpg-query';
import { findAll, namesIn, parseSql } from './sql.ts';

export type Column = { notNull: boolean; hasDefault: boolean };

export type ConstraintKind = 'check' | 'unique' | 'foreign';

/** The texts that a CHECK with a list of values allows for one column. */
export type ValueList = { column: string; values: string[] };

export type TableConstraint = { kind: ConstraintKind; values?: ValueList };

/** The columns, constraints and triggers of a table, by name. */
export type Table = {
  columns: Map<string, Column>;
  constraints: Map<string, TableConstraint>;
  triggers: Set<string>;
};

/** The parts of a database schema that the rules need. Each index is stored with the name of its table. */
export type Catalogue = {
  tables: Map<string, Table>;
  indexes: Map<string, string>;
  functions: Set<string>;
  others: Set<string>;
};

export function emptyCatalogue(): Catalogue {
  return { tables: new Map(), indexes: new Map(), functions: new Set(), others: new Set() };
}

/** Reads the schema that `npm run generate` wrote. Merges several texts, if the databases of several services contain a package's tables. */
export function readCatalogue(schemas: readonly string[]): Catalogue {
  const catalogue = emptyCatalogue();
  for (const schema of schemas) for (const { kind, node } of parseSql(schema)) addTo(catalogue, kind, node);
  return catalogue;
}

/** Adds the object that a statement creates. Ignores other statements. */
export function addTo(catalogue: Catalogue, kind: string, node: object): void {
  const statement: unknown = Object.values(node)[0];
  switch (kind) {
    case 'CreateStmt': {
      const { relation, tableElts } = statement as CreateStmt;
      catalogue.tables.set(relation?.relname ?? '', tableOf(tableElts ?? []));
      return;
    }
    case 'IndexStmt': {
      const { idxname, relation } = statement as IndexStmt;
      catalogue.indexes.set(idxname ?? '', relation?.relname ?? '');
      return;
    }
    case 'CreateFunctionStmt':
      catalogue.functions.add(functionName(statement as CreateFunctionStmt));
      return;
    case 'CreateTrigStmt': {
      const { relation, trigname } = statement as CreateTrigStmt;
      catalogue.tables.get(relation?.relname ?? '')?.triggers.add(trigname ?? '');
      return;
    }
    case 'CreateEnumStmt':
      catalogue.others.add(namesIn((statement as { typeName: unknown }).typeName).at(-1) ?? '');
      return;
    case 'ViewStmt':
    case 'CreateSeqStmt': {
      const { view, sequence } = statement as Record<'view' | 'sequence', { relname?: string } | undefined>;
      catalogue.others.add((view ?? sequence)?.relname ?? '');
      return;
    }
  }
}

export function functionName({ funcname }: CreateFunctionStmt): string {
  return namesIn(funcname).at(-1) ?? '';
}

function tableOf(elements: readonly object[]): Table {
  const table: Table = { columns: new Map(), constraints: new Map(), triggers: new Set() };
  for (const element of elements) {
    if ('ColumnDef' in element) {
      const column = element.ColumnDef as ColumnDef;
      table.columns.set(column.colname ?? '', columnOf(column));
    }
    if ('Constraint' in element) {
      const constraint = element.Constraint as Constraint;
      const kind = kindOf(constraint);
      if (kind !== undefined) table.constraints.set(constraint.conname ?? '', { kind, ...valuesOf(constraint) });
    }
  }
  return table;
}

/** Types whose columns fill themselves. */
const serial = /^(small|big)?serial\d?$/;

export function columnOf(column: ColumnDef): Column {
  const kinds = constraintsOf(column).map(({ contype }) => contype);
  const fillsItself = ['CONSTR_DEFAULT', 'CONSTR_IDENTITY', 'CONSTR_GENERATED'] as const;
  return {
    notNull: kinds.includes('CONSTR_NOTNULL') || kinds.includes('CONSTR_PRIMARY'),
    hasDefault: fillsItself.some((one) => kinds.includes(one)) || isSerial(column),
  };
}

export function isSerial({ typeName }: ColumnDef): boolean {
  return serial.test(namesIn(typeName?.names).at(-1) ?? '');
}

export function constraintsOf(column: ColumnDef): Constraint[] {
  return (column.constraints ?? []).flatMap((one) => ('Constraint' in one ? [one.Constraint] : []));
}

function kindOf({ contype }: Constraint): ConstraintKind | undefined {
  switch (contype) {
    case 'CONSTR_CHECK':
      return 'check';
    case 'CONSTR_PRIMARY':
    case 'CONSTR_UNIQUE':
    case 'CONSTR_EXCLUSION':
      return 'unique';
    case 'CONSTR_FOREIGN':
      return 'foreign';
    default:
      return undefined;
  }
}

/** Returns the list of values in a CHECK of the form `column IN (…)` or `column = ANY (ARRAY[…])`. */
export function valuesOf({ raw_expr: expression }: Constraint): { values?: ValueList } {
  const operation = (
    expression as { A_Expr?: { kind: string; name: unknown; lexpr: unknown; rexpr: unknown } } | undefined
  )?.A_Expr;
  if (operation === undefined || !['AEXPR_IN', 'AEXPR_OP_ANY'].includes(operation.kind)) return {};
  if (namesIn(operation.name)[0] !== '=') return {};
  const [column] = columnsIn(operation.lexpr);
  const values = constantsIn(operation.rexpr);
  return column === undefined || values.length === 0 ? {} : { values: { column, values } };
}

/** The columns that an expression names. */
export function columnsIn(expression: unknown): string[] {
  return findAll<{ fields: unknown }>(expression, 'ColumnRef').flatMap(({ fields }) => namesIn(fields).slice(-1));
}

/** The texts in an expression. */
export function constantsIn(expression: unknown): string[] {
  return findAll<{ sval?: { sval?: string } }>(expression, 'A_Const').flatMap(({ sval }) =>
    sval?.sval === undefined ? [] : [sval.sval],
  );
}
