// npm run deployment -- <service> --to <environment> --release <version> start|finish
//
// Records a rollout before and after it, so that npm run can-deploy knows which releases run. The caller commits deployments/<environment>.json.
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { errorText } from '@taskwire/errors';
import { recordStep } from './write-deployments.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
try {
  const text = { type: 'string' } as const;
  const { values, positionals } = parseArgs({ options: { to: text, release: text }, allowPositionals: true });
  const [service, step, ...rest] = positionals;
  const { to: environment, release } = values;
  const isStep = step === 'start' || step === 'finish';
  if (service === undefined || environment === undefined || release === undefined || !isStep || rest.length > 0)
    throw new Error('usage: npm run deployment -- <service> --to <environment> --release <version> start|finish');
  const deployed = recordStep(root, { service, environment, release, step });
  console.log(`${environment} runs ${service} ${deployed[service]?.join(' and ')}`);
} catch (error) {
  console.error(errorText(error));
  process.exitCode = 1;
}
