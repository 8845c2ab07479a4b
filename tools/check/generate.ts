// npm run generate: writes everything that is generated and committed — contracts/ from packages/contracts, the client's table of operations and types
// from both, services/*/schema.sql from the migrations, services/*/statements.sql from the services' prepared statements, docs/retention.md from the
// retention rules, the table of docs/pact.md from the providers' tests, and the rules for Prometheus and the dashboards for Grafana from
// infra/observability.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dashboardFiles } from '../../infra/observability/dashboards/grafana.ts';
import { alertRules } from './alert-rules.ts';
import { clientFolder, generateClient, generateContracts } from './generated.ts';
import { pactPage, providerNames } from './pact-page.ts';
import { retentionPage, tablesOfServices } from './retention.ts';
import { schemasOfServices } from './schema.ts';
import { statementsOfServices } from './statements.ts';
import { root } from './step.ts';

await generateContracts(join(root, 'contracts'));
console.log('wrote contracts/');
await generateClient(join(root, clientFolder));
console.log(`wrote ${clientFolder}`);
for (const [file, sql] of [
  ...(await schemasOfServices()),
  ...(await statementsOfServices()),
  ...pactPage(providerNames()),
  ...alertRules(),
  ...dashboardFiles(),
]) {
  writeFileSync(join(root, file), sql);
  console.log(`wrote ${file}`);
}
// after the schemas, whose tables it lists
writeFileSync(join(root, 'docs/retention.md'), retentionPage(await tablesOfServices()));
console.log('wrote docs/retention.md');
