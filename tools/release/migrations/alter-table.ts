import type { AlterTableCmd, AlterTableStmt, ColumnDef, Constraint } from 'libpg-query';
import { columnOf, columnsIn, constantsIn, constraintsOf, isSerial, valuesOf, type Table } from './catalogue.ts';
import { remedies, reporter, type Finding, type Judging } from './finding.ts';
import { findAll, namesIn, type Statement } from './sql.ts';

/** Changes to a table that affect neither readers nor writers. */
const harmless = new Set([
  ...['AT_SetStatistics', 'AT_SetOptions', 'AT_ResetOptions', 'AT_SetStorage', 'AT_SetCompression'],
  ...['AT_SetRelOptions', 'AT_ResetRelOptions', 'AT_ReplicaIdentity', 'AT_DropCluster'],
]);
/** Changes that copy or scan the table under a lock that blocks all other statements. */
const locking = new Set([
  'AT_SetTableSpace',
  'AT_SetLogged',
  'AT_SetUnLogged',
  'AT_SetAccessMethod',
  'AT_AttachPartition',
]);

/** Functions whose value is the same for all rows of a statement, so that a default with such a function does not require rewriting the table. */
const stable = new Set(['now', 'transaction_timestamp', 'statement_timestamp', 'make_interval']);

/** Checks ALTER TABLE on a table of the last release. */
export function judgeAlterTable(statement: Statement, alter: AlterTableStmt, judging: Judging): Finding[] {
  const name = alter.relation?.relname ?? '';
  const table = judging.base.tables.get(name);
  if (table === undefined) return [];
  return (alter.cmds ?? []).flatMap((node) =>
    'AlterTableCmd' in node ? judgeCommand({ ...judging, statement, name, table }, node.AlterTableCmd) : [],
  );
}

type Place = Judging & { statement: Statement; name: string; table: Table };

function judgeCommand(place: Place, command: AlterTableCmd): Finding[] {
  const { name: table, statement } = place;
  const { breaks, locks } = reporter(statement.line);
  const column = `${table}.${command.name}`;
  const isAdded = place.added.has(column);
  const def = command.def ?? {};
  switch (command.subtype) {
    case 'AT_AddColumn':
      return 'ColumnDef' in def ? judgeNewColumn(place, def.ColumnDef as ColumnDef) : [];
    case 'AT_DropColumn':
      if (isAdded) return [];
      return [breaks(`drops column ${column}`, remedies.contract, { table, column: command.name ?? '' })];
    case 'AT_AlterColumnType':
      if (isAdded) return [];
      return [
        breaks(
          `changes the type of ${column}, so that prepared statements of running processes fail (0A000)`,
          'add a column of the new type, write both, and drop the old one by a contract',
        ),
      ];
    case 'AT_ColumnDefault':
      if (isAdded) return [];
      if (command.def === undefined) return [breaks(`drops the default of ${column}`, remedies.contract)];
      return unknownValues(place, constantsIn(command.def), `makes the default of ${column}`);
    case 'AT_SetNotNull':
      return judgeNotNull(place, command.name ?? '');
    case 'AT_DropNotNull':
      return isAdded ? [] : [breaks(`lets ${column} be null`, remedies.readFirst)];
    case 'AT_AddConstraint':
      return 'Constraint' in def ? judgeNewConstraint(place, def.Constraint as Constraint) : [];
    case 'AT_DropConstraint':
      return judgeDroppedConstraint(place, command.name ?? '');
    case 'AT_ValidateConstraint':
      if (!place.unvalidated.has(command.name ?? '')) return [];
      return [locks(`validates ${command.name} in the file that adds it`, 'validate it in a file of its own')];
    default:
      if (harmless.has(command.subtype ?? '')) return [];
      if (locking.has(command.subtype ?? '')) return [locks(`moves or scans all of ${table}`, 'leave it out')];
      return [breaks(`changes ${table} (${command.subtype})`, remedies.contract)];
  }
}

function judgeNewColumn(place: Place, definition: ColumnDef): Finding[] {
  const { name: table, statement } = place;
  const { breaks, locks } = reporter(statement.lineAt(definition.location));
  const column = `${table}.${definition.colname}`;
  const { notNull, hasDefault } = columnOf(definition);
  place.added.set(column, { hasDefault });
  const findings: Finding[] = [];
  if (notNull && !hasDefault)
    findings.push(
      breaks(
        `adds ${column} NOT NULL without a default, so that inserts fail`,
        'give it a default, or leave NOT NULL to a contract',
      ),
    );
  for (const constraint of constraintsOf(definition)) {
    const { contype, raw_expr: expression } = constraint;
    const isVolatile =
      findAll<{ funcname: unknown }>(expression, 'FuncCall').some(
        ({ funcname }) => !stable.has(namesIn(funcname).at(-1) ?? ''),
      ) || isSerial(definition);
    if (contype === 'CONSTR_DEFAULT' && isVolatile)
      findings.push(
        locks(`rewrites ${table} to fill ${column}`, 'set the default in a statement of its own, and backfill'),
      );
    if (contype === 'CONSTR_IDENTITY' || (contype === 'CONSTR_GENERATED' && constraint.generated_kind === 's'))
      findings.push(locks(`rewrites ${table} to fill ${column}`, 'add a plain column, and backfill'));
    if (contype === 'CONSTR_CHECK') {
      findings.push(locks(`scans ${table} for the CHECK of ${column}`, remedies.notValid));
      if (refusesNull(expression))
        findings.push(breaks(`adds a CHECK of ${column} that fails without it`, remedies.contract));
    }
    if (contype === 'CONSTR_UNIQUE' || contype === 'CONSTR_PRIMARY') {
      findings.push(locks(`builds an index of ${column} under a lock`, remedies.concurrently));
      if (hasDefault) findings.push(breaks(`makes ${column} unique with a default`, remedies.contract));
    }
    if (contype === 'CONSTR_FOREIGN') {
      findings.push(locks(`scans ${table} for the foreign key of ${column}`, remedies.notValid));
      findings.push(...judgeParent(place, constraint, statement.line));
    }
  }
  if (isSerial(definition))
    findings.push(locks(`rewrites ${table} to fill ${column}`, 'add a plain column, and backfill'));
  return findings;
}

/** Whether a CHECK rejects NULL, and therefore rows written without the column. */
function refusesNull(expression: unknown): boolean {
  return findAll(expression, 'NullTest').length > 0 || findAll(expression, 'CoalesceExpr').length > 0;
}

function judgeNotNull(place: Place, column: string): Finding[] {
  const { breaks, locks } = reporter(place.statement.line);
  const path = `${place.name}.${column}`;
  if (place.table.columns.get(column)?.notNull === true) return [];
  const scan = locks(
    `scans ${place.name} for NOT NULL of ${path}`,
    'validate a CHECK (… IS NOT NULL) first, in files of their own',
  );
  if (place.added.get(path)?.hasDefault === true) return [scan];
  return [breaks(`makes ${path} NOT NULL, so that writes of null fail`, remedies.contract), scan];
}

function judgeNewConstraint(place: Place, constraint: Constraint): Finding[] {
  const { name: table, statement } = place;
  const { breaks, locks } = reporter(statement.lineAt(constraint.location));
  const name = constraint.conname ?? constraint.contype ?? '';
  const isLate = constraint.skip_validation === true;
  if (isLate) place.unvalidated.add(name);
  const own = (columns: readonly string[]) =>
    columns.length > 0 && columns.every((one) => place.added.get(`${table}.${one}`)?.hasDefault === false);
  switch (constraint.contype) {
    case 'CONSTR_CHECK': {
      const scan = isLate ? [] : [locks(`scans ${table} for constraint ${name}`, remedies.notValid)];
      const replaced = replacedList(place, constraint);
      if (replaced !== undefined) return [...scan, ...replaced];
      if (own(columnsIn(constraint.raw_expr)) && !refusesNull(constraint.raw_expr)) return scan;
      return [...scan, breaks(`adds constraint ${name}, which writes may violate`, remedies.contract)];
    }
    case 'CONSTR_NOTNULL':
      return judgeNotNull(place, namesIn(constraint.keys)[0] ?? '');
    case 'CONSTR_FOREIGN': {
      const scan = isLate ? [] : [locks(`scans ${table} for constraint ${name}`, remedies.notValid)];
      const parent = judgeParent(place, constraint, statement.line);
      if (own(namesIn(constraint.fk_attrs))) return [...scan, ...parent];
      return [...scan, ...parent, breaks(`adds foreign key ${name}, which writes may violate`, remedies.contract)];
    }
    default: {
      const build = constraint.indexname
        ? []
        : [locks(`builds the index of ${name} under a lock`, remedies.concurrently)];
      if (own(namesIn(constraint.keys))) return build;
      return [...build, breaks(`adds unique constraint ${name}, which writes may violate`, remedies.contract)];
    }
  }
}

/** Checks a value list that replaces a dropped one; returns undefined if it replaces none. */
function replacedList(place: Place, constraint: Constraint): Finding[] | undefined {
  const { values } = valuesOf(constraint);
  if (values === undefined) return undefined;
  const entry = [...place.dropped].find(
    ([key, { table }]) => table === place.name && key.endsWith(` ${values.column}`),
  );
  if (entry === undefined) return undefined;
  const [key, { values: before }] = entry;
  place.dropped.delete(key);
  const { breaks } = reporter(place.statement.line);
  const path = `${place.name}.${values.column}`;
  const missing = before.filter((value) => !values.values.includes(value));
  const added = values.values.filter((value) => !before.includes(value));
  return [
    ...missing.map((value) => breaks(`no longer allows '${value}' in ${path}`, remedies.contract)),
    ...unknownValues(place, added, `allows in ${path}`),
  ];
}

/** Returns values that the last release does not know, and therefore can neither write nor read. */
export function unknownValues(
  place: Judging & { statement: Statement },
  values: readonly string[],
  does: string,
): Finding[] {
  const { breaks } = reporter(place.statement.line);
  return values
    .filter((value) => !place.knowsValue(value))
    .map((value) => breaks(`${does} '${value}', a value that it cannot read`, remedies.readFirst));
}

function judgeDroppedConstraint(place: Place, name: string): Finding[] {
  const { breaks } = reporter(place.statement.line);
  const constraint = place.table.constraints.get(name);
  const isNotNull = [...place.table.columns.keys()].some((column) => name === `${place.name}_${column}_not_null`);
  if (isNotNull) return [breaks(`drops ${name}, so that nulls may be read`, remedies.readFirst)];
  if (constraint === undefined) return [];
  if (constraint.kind !== 'check') return [breaks(`drops ${constraint.kind} constraint ${name}`, remedies.contract)];
  const { values } = constraint;
  if (values !== undefined) place.dropped.set(`${name} ${values.column}`, { table: place.name, values: values.values });
  return [];
}

/** Checks a reference to a table of the last release, which must not prevent the release from deleting rows there. */
export function judgeParent(judging: Judging, constraint: Constraint, line: number): Finding[] {
  const parent = constraint.pktable?.relname ?? '';
  if (!judging.base.tables.has(parent) || !['a', 'r'].includes(constraint.fk_del_action ?? 'a')) return [];
  return [
    reporter(line).breaks(`refers to ${parent}, so that deletes there fail`, 'use ON DELETE CASCADE or SET NULL'),
  ];
}
