// npm run migrations: refuses migrations since the last recorded release that would break that release
import { fileURLToPath } from 'node:url';
import { errorText } from '@taskwire/errors';
import { judgeMigrations } from './migrations/gate.ts';

try {
  const { release, files, faults } = judgeMigrations(fileURLToPath(new URL('../../', import.meta.url)));
  for (const fault of faults) console.error(fault);
  console.log(`${files} migrations since release ${release}, ${faults.length} faults`);
  if (faults.length > 0) process.exitCode = 1;
} catch (error) {
  console.error(errorText(error));
  process.exitCode = 1;
}
