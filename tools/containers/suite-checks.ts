import { join } from 'node:path';
import { checkDisk } from './database-disk.ts';
import { lastOf, root, run } from './engine.ts';
import type { Suite } from './suite.ts';

/** The state of a container of the suite. */
export type ContainerFacts = {
  service: string;
  status: string;
  exitCode: number;
  restarts: string;
  isReadOnly: boolean;
  /** Whether root was able to write a file to the image's own folders; undefined for a container that has exited. */
  wrote: boolean | undefined;
};

const own = ['auth', 'tasks', 'notifications', 'gateway', 'gateway-exporter'];
const migrations = ['auth-migrate', 'tasks-migrate', 'notifications-migrate'];

/**
 * Returns the faults of a container. Migrations must have run once to completion; other containers must be running, and must not be able to change
 * their image's files.
 */
export function faultsOfContainer({
  service,
  status,
  exitCode,
  restarts,
  isReadOnly,
  wrote,
}: ContainerFacts): string[] {
  const isMigration = migrations.includes(service);
  return [
    ...(isMigration && (status !== 'exited' || exitCode !== 0)
      ? [`is ${status} with exit code ${exitCode}; a migration ends with 0`]
      : []),
    ...(isMigration && restarts !== 'no' && restarts !== ''
      ? [`is restarted (${restarts}); a migration runs once`]
      : []),
    ...(!isMigration && status !== 'running' ? [`is ${status}`] : []),
    ...(!isReadOnly || wrote === true ? ['can write to its image'] : []),
  ].map((fault) => `the container of ${service} ${fault}`);
}

/** Runs the main flow, and inspects the running containers. */
export async function runSuiteChecks(suite: Suite, say: (text: string) => void): Promise<string[]> {
  const faults: string[] = [];
  // runs the program of npm run smoke, with the users of npm start
  const smoke = await run(process.execPath, [join(root, 'tools/demo/smoke.ts'), '--url', suite.url], {
    env: process.env,
  });
  say(`main flow:\n${smoke.stdout.trimEnd()}`);
  if (smoke.code !== 0) faults.push(lastOf(smoke));
  for (const service of [...own, ...migrations]) faults.push(...faultsOfContainer(await factsOf(suite, service)));
  faults.push(...(await checkDisk(suite, say)));
  faults.push(...(await operatorsFaults(suite)));
  say('the containers, and the operators’ commands in them, were checked');
  return faults;
}

export const containerOf = (service: string) => `taskwire-${service}-1`;

async function factsOf({ engine }: Suite, service: string): Promise<ContainerFacts> {
  const name = containerOf(service);
  const format =
    '{{.State.Status}} {{.State.ExitCode}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.RestartPolicy.Name}}';
  const [status = '', exitCode, isReadOnly, restarts = ''] = (
    await engine.podman(['inspect', '--format', format, name])
  ).split(' ');
  const write = await engine.tryPodman(['exec', '--user', '0:0', name, 'touch', '/usr/local/bin/probe']);
  return {
    service,
    status,
    exitCode: Number(exitCode),
    restarts,
    isReadOnly: isReadOnly === 'true',
    wrote: status === 'running' ? write.code === 0 : undefined,
  };
}

const operators: readonly (readonly [service: string, ...command: string[]])[] = [
  ['tasks', 'dead-letters', 'list', 'tasks'],
  ['notifications', 'dead-letters', 'list', 'notifications'],
  ['tasks', 'directory', 'rebuild', 'tasks'],
  ['auth', 'auth', 'keys', 'list'],
];

/** Runs operators' commands in the containers, on the databases of the suite. */
async function operatorsFaults({ compose }: Suite): Promise<string[]> {
  const faults: string[] = [];
  for (const [service, ...command] of operators) {
    const result = await compose(['exec', '-T', service, 'taskwire', ...command]);
    if (result.code !== 0)
      faults.push(`taskwire ${command.join(' ')} in the container of ${service} fails: ${lastOf(result)}`);
  }
  return faults;
}
