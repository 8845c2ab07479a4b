// npm run generate: writes everything that is generated and committed — contracts/ from packages/contracts, and services/*/schema.sql from the
// migrations, services/*/statements.sql from the services' prepared statements, and docs/retention.md from their rules.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateContracts } from './generated.ts';
import { retentionPage, tablesOfServices } from './retention.ts';
import { schemasOfServices } from './schema.ts';
import { statementsOfServices } from './statements.ts';
import { root } from './step.ts';

await generateContracts(join(root, 'contracts'));
console.log('wrote contracts/');
for (const [file, sql] of [...(await schemasOfServices()), ...(await statementsOfServices())]) {
  writeFileSync(join(root, file), sql);
  console.log(`wrote ${file}`);
}
// after the schemas, whose tables it lists
writeFileSync(join(root, 'docs/retention.md'), retentionPage(await tablesOfServices()));
console.log('wrote docs/retention.md');
