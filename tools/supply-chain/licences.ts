// npm run licences: fails if a run-time dependency of the services has a licence that is not allowed
import { errorText } from '@taskwire/errors';
import { componentsOf, licenceFaults } from './components.ts';
import { materials } from './pnpm.ts';

try {
  const components = componentsOf(await materials());
  const faults = licenceFaults(components);
  for (const fault of faults) console.error(fault);
  console.log(`${components.length} packages, ${faults.length} of them with a licence that is not allowed`);
  if (faults.length > 0) process.exitCode = 1;
} catch (error) {
  console.error(errorText(error));
  process.exitCode = 1;
}
