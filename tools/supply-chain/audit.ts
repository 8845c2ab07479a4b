// npm run audit: fails for a known vulnerability of at least moderate severity in the services' run-time dependencies. Exits with 2 if the registry
// does not respond, because a missing response must not count as a pass.
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
