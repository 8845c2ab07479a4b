import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compareReleases } from '@taskwire/postgres';
import { readDeployments, type Deployments } from './deployments.ts';
import { readRecords } from './records.ts';

/** A rollout adds its release when it starts, and leaves no other when it has finished. */
export type RolloutStep = 'start' | 'finish';

/** The releases of an environment after a step of a service's rollout. A rollback is a rollout of the release before. */
export function afterStep(deployed: Deployments, service: string, release: string, step: RolloutStep): Deployments {
  const running = step === 'start' ? (deployed[service] ?? []) : [];
  return { ...deployed, [service]: [...new Set([...running, release])].toSorted(compareReleases) };
}

/**
 * Records a step of a rollout in `deployments/<environment>.json`, which the first rollout creates, and returns what runs now.
 * @throws if the release is not recorded, or the file is invalid.
 */
export function recordStep(
  root: string,
  rollout: { service: string; environment: string; release: string; step: RolloutStep },
): Deployments {
  const { service, environment, release, step } = rollout;
  if (!/^[a-z][a-z0-9-]*$/.test(environment)) throw new Error(`"${environment}" does not name an environment`);
  if (!existsSync(join(root, 'services', service, 'package.json'))) throw new Error(`there is no service ${service}`);
  if (!readRecords(root).some(({ version }) => version === release))
    throw new Error(`releases/ has no record of ${release}`);
  const file = join(root, 'deployments', `${environment}.json`);
  const deployed = afterStep(existsSync(file) ? readDeployments(root, environment) : {}, service, release, step);
  mkdirSync(join(root, 'deployments'), { recursive: true });
  const lines = Object.entries(deployed).map(
    ([name, releases]) => `  ${JSON.stringify(name)}: [${releases.map((each) => JSON.stringify(each)).join(', ')}]`,
  );
  writeFileSync(file, `{\n${lines.join(',\n')}\n}\n`);
  return deployed;
}
