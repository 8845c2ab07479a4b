// npm run generate: writes everything that is generated and committed — contracts/ from packages/contracts, and services/*/schema.sql from the
// migrations.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateContracts } from './generated.ts';
import { schemasOfServices } from './schema.ts';
import { root } from './step.ts';

await generateContracts(join(root, 'contracts'));
console.log('wrote contracts/');
for (const [file, sql] of await schemasOfServices()) {
  writeFileSync(join(root, file), sql);
  console.log(`wrote ${file}`);
}
