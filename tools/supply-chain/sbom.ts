// npm run sbom [-- <file>]: writes the bill of materials of the services as CycloneDX, by default to .local/sbom.json
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorText } from '@taskwire/errors';
import { componentsOf } from './components.ts';
import { materials, root } from './pnpm.ts';

try {
  const [file = join(root, '.local/sbom.json')] = process.argv.slice(2);
  const text = await materials();
  writeFileSync(file, text);
  console.log(`${file} lists ${componentsOf(text).length} third-party packages`);
} catch (error) {
  console.error(errorText(error));
  process.exitCode = 1;
}
