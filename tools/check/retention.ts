import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { markdownTable } from './markdown-table.ts';
import { root } from './step.ts';

/** As `TableRetention` of packages/postgres. */
type TableRetention = {
  rules: readonly { name: string; table: string; keeps: string; because: string }[];
  kept: Readonly<Record<string, string>>;
};

/** The tables of a service, and its statements about how long their rows are kept. */
export type ServiceTables = { service: string; tables: readonly string[]; retention: readonly TableRetention[] };

/** The tables of each service's schema.sql, and the retention with default periods that its `src/wire/retention.ts` describes. */
export async function tablesOfServices(): Promise<ServiceTables[]> {
  const schemas = globSync('services/*/schema.sql', { cwd: root }).sort();
  return await Promise.all(
    schemas.map(async (schema) => {
      const [, service = ''] = schema.split('/');
      const module = pathToFileURL(join(root, 'services', service, 'src/wire/retention.ts')).href;
      const { defaultRetention } = (await import(module)) as { defaultRetention: readonly TableRetention[] };
      const created = readFileSync(join(root, schema), 'utf8').matchAll(/^CREATE TABLE (\w+)/gm);
      return { service, tables: [...created].map(([, table = '']) => table), retention: defaultRetention };
    }),
  );
}

/** Names the tables without a rule or a reason to stay, those with a reason that a rule contradicts, and statements about tables that do not exist. */
export function retentionFaults(services: readonly ServiceTables[]): string[] {
  if (services.length === 0) return ['No service was found: the check is looking in the wrong place.'];
  return services.flatMap(({ service, tables, retention }) => {
    const rules = retention.flatMap((part) => part.rules);
    const ruled = new Set(rules.map(({ table }) => table));
    const kept = new Set(retention.flatMap((part) => Object.keys(part.kept)));
    const names = rules.map(({ name }) => name);
    const file = `services/${service}/src/postgres/retention.ts`;
    return [
      ...tables
        .filter((table) => !ruled.has(table) && !kept.has(table))
        .map(
          (table) => `${service}: the table ${table} grows forever; add a rule to ${file}, or the reason to keep it`,
        ),
      ...tables
        .filter((table) => ruled.has(table) && kept.has(table))
        .map((table) => `${service}: the table ${table} has a rule and a reason to have none`),
      ...[...ruled, ...kept]
        .filter((table) => !tables.includes(table))
        .map((table) => `${service}: the retention names the table ${table}, which schema.sql does not have`),
      ...names
        .filter((name, index) => names.indexOf(name) !== index)
        .map((name) => `${service}: two rules are named ${name}, so their metrics are one`),
    ];
  });
}

const head = `# Retention

How long each table keeps its rows, with the default periods. Generated from the services' rules by \`npm run generate\`; \`npm run check\` fails for a
table that has neither a rule nor a reason to keep its rows. Names in capitals are environment variables of the service; each service reads
them at its start.

A loop of each service (\`PROCESS_ROLE\` \`worker\` or \`all\`) applies its rules every few minutes, in batches of a few hundred or thousand rows, one batch of
each rule in turn. Any number of processes may run it. Two metrics have the label \`rule\`:

- \`retention_rows_total\`: rows that were deleted or erased.
- \`retention_overdue_seconds\`: how long the oldest remaining row has been due. It is below the loop's interval (an hour at most) while the loop
  works; a value above a day means that it fails or does not run: read the log lines of the loops \`retention\` and \`inbox retention\`.
`;

/** The text of docs/retention.md. */
export function retentionPage(services: readonly ServiceTables[]): string {
  return [head, ...services.map((one) => sectionOf(one))].join('\n');
}

function sectionOf({ service, tables, retention }: ServiceTables): string {
  const kept = new Map(retention.flatMap((part) => Object.entries(part.kept)));
  const rows = tables.flatMap((table) => {
    const rules = retention.flatMap((part) => part.rules.filter((rule) => rule.table === table));
    const reason = kept.get(table);
    return [
      ...rules.map(({ name, keeps, because }) => [`\`${table}\``, keeps, because, `\`${name}\``]),
      ...(reason === undefined ? [] : [[`\`${table}\``, 'no rule', reason, '']]),
    ];
  });
  const title = `${service.slice(0, 1).toUpperCase()}${service.slice(1)}`;
  return `## ${title}\n\n${markdownTable([['table', 'rows are kept', 'because', 'rule'], ...rows])}\n`;
}
