// npm run audit: fails for a known vulnerability of at least moderate severity in what the services run. Exits with 2 if the registry does not say,
// because silence is no pass.
import { errorText } from '@taskwire/errors';
import { pnpm } from './pnpm.ts';
import { verdictOf } from './verdict.ts';

try {
  const { exitCode, text } = verdictOf(await pnpm(['audit', '--prod', '--audit-level', 'moderate']));
  console.log(text);
  process.exitCode = exitCode;
} catch (error) {
  console.error(errorText(error));
  process.exitCode = 2;
}
