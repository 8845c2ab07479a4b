import type {
  AlterEnumStmt,
  AlterTableStmt,
  CreateFunctionStmt,
  CreateStmt,
  CreateTrigStmt,
  DeleteStmt,
  DropStmt,
  IndexStmt,
  InsertStmt,
  RangeVar,
  RenameStmt,
  UpdateStmt,
} from 'libpg-query';
import { judgeAlterTable, judgeParent, unknownValues } from './alter-table.ts';
import { functionName } from './catalogue.ts';
import { remedies, reporter, type Finding, type Judging } from './finding.ts';
import { findAll, namesIn, type Statement } from './sql.ts';

/** Statements that change nothing that exists. */
const harmless = new Set([
  ...['CommentStmt', 'CreateSeqStmt', 'CreateStatsStmt', 'CreateEnumStmt', 'CreateDomainStmt', 'CreateExtensionStmt'],
  ...['CreateSchemaStmt', 'CreateTableAsStmt', 'RefreshMatViewStmt', 'CompositeTypeStmt', 'DefineStmt'],
]);

/** Checks whether a statement of a new migration is compatible with the last release. */
export function judgeStatement(statement: Statement, judging: Judging): Finding[] {
  const { kind, node, line } = statement;
  const tree: unknown = Object.values(node)[0];
  const { breaks, locks } = reporter(line);
  const { base } = judging;
  const isOld = (table: string | undefined) => base.tables.has(table ?? '');
  switch (kind) {
    case 'AlterTableStmt':
      return judgeAlterTable(statement, tree as AlterTableStmt, judging);
    case 'CreateStmt':
      return findAll<CreateStmt['relation']>(tree, 'pktable').length === 0
        ? []
        : findAll<Parameters<typeof judgeParent>[1]>(tree, 'Constraint').flatMap((one) =>
            judgeParent(judging, one, line),
          );
    case 'IndexStmt':
      return judgeIndex(statement, tree as IndexStmt, judging);
    case 'DropStmt':
      return judgeDrop(statement, tree as DropStmt, judging);
    case 'RenameStmt':
      return judgeRename(statement, tree as RenameStmt, judging);
    case 'CreateFunctionStmt': {
      const name = functionName(tree as CreateFunctionStmt);
      return base.functions.has(name) ? [breaks(`changes function ${name}`, 'create a function of another name')] : [];
    }
    case 'CreateTrigStmt': {
      const { relation, trigname } = tree as CreateTrigStmt;
      return isOld(relation?.relname)
        ? [breaks(`runs trigger ${trigname} on writes of ${relation?.relname}`, 'do it in the code that writes')]
        : [];
    }
    case 'AlterEnumStmt': {
      const { oldVal, newVal, typeName } = tree as AlterEnumStmt;
      const type = namesIn(typeName).at(-1) ?? '';
      if (!base.others.has(type)) return [];
      if (oldVal !== undefined) return [breaks(`renames '${oldVal}' of ${type}`, remedies.contract)];
      return unknownValues({ ...judging, statement }, [newVal ?? ''], `adds to ${type}`);
    }
    case 'TruncateStmt':
      return findAll<RangeVar>(tree, 'RangeVar')
        .filter(({ relname }) => isOld(relname))
        .map(({ relname }) => breaks(`empties ${relname}`, remedies.contract));
    case 'InsertStmt':
    case 'UpdateStmt':
    case 'DeleteStmt':
    case 'SelectStmt':
    case 'MergeStmt':
      return judgeRows(statement, judging);
    case 'ViewStmt': {
      const name = (tree as { view?: RangeVar }).view?.relname ?? '';
      return base.others.has(name) ? [breaks(`changes view ${name}`, 'create a view of another name')] : [];
    }
    case 'GrantStmt':
      return (tree as { is_grant?: boolean }).is_grant === true
        ? []
        : [breaks('revokes a privilege', remedies.contract)];
    case 'VacuumStmt':
      return (tree as { is_vacuumcmd?: boolean }).is_vacuumcmd === true
        ? [locks('runs VACUUM', 'leave it to autovacuum')]
        : [];
    case 'LockStmt':
    case 'ClusterStmt':
    case 'ReindexStmt':
      return [locks('locks a whole table', 'leave it out')];
    case 'VariableSetStmt':
    case 'TransactionStmt':
      return [locks('changes the transaction or its lock timeout, which the runner sets', 'leave it out')];
    default:
      if (harmless.has(kind)) return [];
      // DO, CALL and whatever PostgreSQL adds
      return [breaks(`has a statement whose effect this check cannot see (${kind})`, 'write it as plain statements')];
  }
}

function judgeIndex({ line }: Statement, index: IndexStmt, judging: Judging): Finding[] {
  const { breaks, locks } = reporter(line);
  const table = index.relation?.relname ?? '';
  if (!judging.base.tables.has(table)) return [];
  const findings: Finding[] = [];
  if (index.concurrent !== true)
    findings.push(locks(`creates index ${index.idxname} and blocks writes of ${table}`, remedies.concurrently));
  else if (judging.mode !== 'outside transaction' || index.if_not_exists !== true)
    findings.push(
      locks(`cannot be repeated: index ${index.idxname}`, 'add IF NOT EXISTS, and `-- mode: outside transaction`'),
    );
  const keys = (index.indexParams ?? []).flatMap((one) => ('IndexElem' in one ? [one.IndexElem.name ?? ''] : []));
  const isOwn = keys.length > 0 && keys.every((key) => judging.added.get(`${table}.${key}`)?.hasDefault === false);
  if (index.unique === true && !isOwn)
    findings.push(breaks(`makes ${table} unique by ${index.idxname}, which writes may violate`, remedies.contract));
  return findings;
}

function judgeDrop({ line }: Statement, drop: DropStmt, { base }: Judging): Finding[] {
  const { breaks, locks } = reporter(line);
  return (drop.objects ?? []).flatMap((object): Finding[] => {
    const names = namesIn(object);
    const name = names.at(-1) ?? '';
    switch (drop.removeType) {
      case 'OBJECT_TABLE':
        return base.tables.has(name) ? [breaks(`drops table ${name}`, remedies.contract, { table: name })] : [];
      case 'OBJECT_INDEX': {
        if (!base.indexes.has(name)) return [];
        const found = [breaks(`drops index ${name}`, remedies.contract)];
        return drop.concurrent === true
          ? found
          : [...found, locks(`locks the table of ${name}`, remedies.concurrently)];
      }
      case 'OBJECT_TRIGGER': {
        const table = names.at(-2) ?? '';
        return base.tables.get(table)?.triggers.has(name) === true
          ? [breaks(`drops trigger ${name} of ${table}`, remedies.contract)]
          : [];
      }
      case 'OBJECT_FUNCTION':
        return base.functions.has(name) ? [breaks(`drops function ${name}`, remedies.contract)] : [];
      default:
        return base.others.has(name) ? [breaks(`drops ${name}`, remedies.contract)] : [];
    }
  });
}

function judgeRename({ line }: Statement, rename: RenameStmt, { base, added }: Judging): Finding[] {
  const table = rename.relation?.relname ?? '';
  const isOld =
    base.tables.has(table) ||
    base.indexes.has(table) ||
    base.others.has(table) ||
    namesIn(rename.object).some((one) => base.functions.has(one) || base.others.has(one));
  if (!isOld || added.has(`${table}.${rename.subname}`)) return [];
  const what = rename.subname === undefined ? table || namesIn(rename.object).at(-1) : `${table}.${rename.subname}`;
  const gone = rename.subname === undefined ? { table } : { table, column: rename.subname };
  return [
    reporter(line).breaks(
      `renames ${what}`,
      'add the new name, write both, and drop the old one by a contract',
      base.tables.has(table) ? gone : undefined,
    ),
  ];
}

/** Checks statements that change rows, including those within WITH. */
function judgeRows({ node, line }: Statement, { base, added, mode }: Judging): Finding[] {
  const { breaks, locks } = reporter(line);
  const old = ({ relation }: { relation?: RangeVar }) => base.tables.has(relation?.relname ?? '');
  const name = ({ relation }: { relation?: RangeVar }) => relation?.relname ?? '';
  const inserts = findAll<InsertStmt>(node, 'InsertStmt').filter(old);
  const updates = findAll<UpdateStmt>(node, 'UpdateStmt').filter(old);
  const deletes = findAll<DeleteStmt>(node, 'DeleteStmt').filter(old);
  const written = (update: UpdateStmt) =>
    (update.targetList ?? []).flatMap((one) => ('ResTarget' in one ? [`${name(update)}.${one.ResTarget.name}`] : []));
  const isBatched = mode === 'backfill' && findAll(node, 'limitCount').length > 0;
  return [
    ...inserts.map((one) => breaks(`inserts rows into ${name(one)}`, remedies.readFirst)),
    ...deletes.map((one) => breaks(`deletes rows of ${name(one)}`, remedies.contract)),
    ...updates
      .flatMap(written)
      .filter((path) => !added.has(path))
      .map((path) => breaks(`changes ${path} of rows`, remedies.readFirst)),
    ...(updates.length + deletes.length > 0 && !isBatched
      ? [locks('changes any number of rows in one transaction', remedies.backfill)]
      : []),
  ];
}
