import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compareReleases } from '@taskwire/postgres';
import { readDeployments, type Deployments } from './deployments.ts';
import { readRecords } from './records.ts';

/** At its start, a rollout adds its release; when it has finished, it removes all others. */
export type RolloutStep = 'start' | 'finish';

/** Returns the releases of an environment after a step of a service's rollout. A rollback is a rollout of the previous release. */
export function afterStep(deployed: Deployments, service: string, release: string, step: RolloutStep): Deployments {
  const running = step === 'start' ? (deployed[service] ?? []) : [];
  return { ...deployed, [service]: [...new Set([...running, release])].toSorted(compareReleases) };
}

/**
 * Records a step of a rollout in `deployments/<environment>.json`, which the first rollout creates, and returns the releases that run now.
 * @throws if the release is not recorded, or the file is invalid.
 */
export function recordStep(
  root: string,
  rollout: { service: string; environment: string; release: string; step: RolloutStep },
): Deployments {
  const { service, environment, release, step } = rollout;
  requireRollout(root, environment, release);
  if (!servicesOf(root).includes(service)) throw new Error(`there is no service ${service}`);
  const file = deploymentsFile(root, environment);
  const deployed = afterStep(existsSync(file) ? readDeployments(root, environment) : {}, service, release, step);
  mkdirSync(join(root, 'deployments'), { recursive: true });
  const lines = Object.entries(deployed).map(
    ([name, releases]) => `  ${JSON.stringify(name)}: [${releases.map((each) => JSON.stringify(each)).join(', ')}]`,
  );
  writeFileSync(file, `{\n${lines.join(',\n')}\n}\n`);
  return deployed;
}

export type RolloutRecord = {
  /** Records that the release starts to run beside the previous releases. */
  start(): void;
  isStarted(): boolean;
  /** Records that only the new release runs, or only the previous one. */
  finish(end: 'rolled-out' | 'rolled-back'): void;
};

/**
 * The record of a rollout of the whole suite, in `deployments/<environment>.json`. Nothing is written before `start`.
 * @throws if the release is not recorded, or the environment's file is invalid.
 */
export function recordRollout(root: string, environment: string, release: string): RolloutRecord {
  requireRollout(root, environment, release);
  const before = existsSync(deploymentsFile(root, environment)) ? readDeployments(root, environment) : {};
  let isStarted = false;
  const record = (step: RolloutStep, releaseOf: (service: string) => string | undefined) => {
    for (const service of servicesOf(root)) {
      const version = releaseOf(service);
      if (version !== undefined) recordStep(root, { service, environment, release: version, step });
    }
  };
  return {
    start() {
      record('start', () => release);
      isStarted = true;
    },
    isStarted: () => isStarted,
    finish(end) {
      // an interrupted rollout leaves both releases recorded, of which the other is the previous one
      const releaseBefore = (service: string) =>
        before[service]?.find((each) => each !== release) ?? before[service]?.[0];
      record('finish', end === 'rolled-out' ? () => release : releaseBefore);
    },
  };
}

function servicesOf(root: string): string[] {
  return readdirSync(join(root, 'services')).filter((name) => existsSync(join(root, 'services', name, 'package.json')));
}

function deploymentsFile(root: string, environment: string): string {
  return join(root, 'deployments', `${environment}.json`);
}

function requireRollout(root: string, environment: string, release: string): void {
  if (!/^[a-z][a-z0-9-]*$/.test(environment)) throw new Error(`"${environment}" does not name an environment`);
  if (!readRecords(root).some(({ version }) => version === release))
    throw new Error(`releases/ has no record of ${release}`);
}
