// npm run generate: writes everything that is generated and committed — contracts/ from packages/contracts, and services/*/schema.sql from the
// migrations, and services/*/statements.sql from the services' prepared statements.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateContracts } from './generated.ts';
import { schemasOfServices } from './schema.ts';
import { statementsOfServices } from './statements.ts';
import { root } from './step.ts';

await generateContracts(join(root, 'contracts'));
console.log('wrote contracts/');
for (const [file, sql] of [...(await schemasOfServices()), ...(await statementsOfServices())]) {
  writeFileSync(join(root, file), sql);
  console.log(`wrote ${file}`);
}
