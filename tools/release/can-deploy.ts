// npm run can-deploy -- <service> --to <environment> [--release <version>]
//
// Verifies a recorded release of a service, or else the checked-out version, against everything that is deployed in the environment, reading
// everything from git. The first pact is verified again with a field that its provider lacks, which must fail. With PACT_BROKER_BASE_URL, the Pact
// Broker is queried as well. Exits with 1 on any "no".
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { errorText } from '@taskwire/errors';
import { brokerFromEnvironment, canDeploy } from '@taskwire/pact-testing';
import { planDeployment, withRemovedField, type PactCheck } from './deployment-checks.ts';
import { readDeployments } from './deployments.ts';
import { providerWorktree, type ProviderWorktree, type Verdict } from './provider-worktree.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const worktrees = new Map<string, ProviderWorktree>();
let refused = false;

function row({ ok, output }: Verdict, text: string): void {
  console.log(`${ok ? 'yes' : 'no '}  ${text}`);
  if (ok) return;
  refused = true;
  console.log(output.replaceAll(/^/gm, '       '));
}

async function verify({ consumer, provider }: PactCheck, pact: string): Promise<Verdict> {
  const key = `${provider.service} ${provider.commit}`;
  const worktree = worktrees.get(key) ?? providerWorktree(root, provider);
  worktrees.set(key, worktree);
  return await worktree.verify(consumer.service, pact);
}

async function requireCanary(check: PactCheck): Promise<void> {
  const { ok, output } = await verify(check, withRemovedField(check.pact));
  const isRefused = !ok && output.includes('field_that_was_removed');
  console.log(`${isRefused ? 'yes' : 'no '}  a removed field of ${check.provider.service} is refused (canary)`);
  if (!isRefused)
    throw new Error(`the verification does not find a removed field, so its other answers mean nothing:\n${output}`);
}

try {
  const { values, positionals } = parseArgs({
    options: { to: { type: 'string' }, release: { type: 'string' } },
    allowPositionals: true,
  });
  const [service] = positionals;
  if (service === undefined || values.to === undefined)
    throw new Error('usage: npm run can-deploy -- <service> --to <environment> [--release <version>]');
  const deployed = readDeployments(root, values.to);
  if (deployed[service] === undefined) console.log(`${service} is not deployed in ${values.to} yet`);
  const { candidate, checks, missing } = planDeployment(root, { service, release: values.release }, deployed);
  for (const provider of missing)
    row({ ok: false, output: `${values.to} has no ${provider}` }, `${service} needs ${provider}`);
  if (checks[0] !== undefined) await requireCanary(checks[0]);
  for (const check of checks) {
    const [consumer, provider] = [check.consumer, check.provider].map((each) => `${each.service} ${each.version}`);
    row(await verify(check, check.pact), `${consumer} works with ${provider}`);
  }
  const broker = brokerFromEnvironment();
  if (broker !== undefined) {
    const { commit: version } = candidate;
    row(await canDeploy(broker, { service, version, environment: values.to }), `the Pact Broker allows ${service}`);
  }
  console.log(refused ? `${service} cannot be deployed to ${values.to}` : `${service} can be deployed to ${values.to}`);
} catch (error) {
  console.error(errorText(error));
  refused = true;
} finally {
  for (const worktree of worktrees.values()) worktree.remove();
}
if (refused) process.exitCode = 1;
