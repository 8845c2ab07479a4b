import { execFileSync, spawn } from 'node:child_process';
import { createRequire } from 'node:module';

/** A Pact Broker, and the version and branch of this checkout. */
export type PactBroker = { url: string; token: string | undefined; version: string; branch: string };

/** The broker configured by PACT_BROKER_BASE_URL (and PACT_BROKER_TOKEN); `undefined` if not set. */
export function brokerFromEnvironment(env: NodeJS.ProcessEnv = process.env): PactBroker | undefined {
  const url = env['PACT_BROKER_BASE_URL'];
  if (url === undefined || url === '') return undefined;
  return {
    url: url.replace(/\/$/, ''),
    token: env['PACT_BROKER_TOKEN'],
    version: git('rev-parse', 'HEAD'),
    branch: git('rev-parse', '--abbrev-ref', 'HEAD'),
  };
}

function git(...args: string[]): string {
  return execFileSync('git', args, { encoding: 'utf8', cwd: import.meta.dirname }).trim();
}

/** The verifier's options for a broker: the pacts of this branch, of the main branch, and of all deployed versions. */
export function brokerSelection({ url, token, version, branch }: PactBroker) {
  return {
    pactBrokerUrl: url,
    ...(token === undefined ? {} : { pactBrokerToken: token }),
    consumerVersionSelectors: [{ branch }, { mainBranch: true }, { deployedOrReleased: true }],
    publishVerificationResult: true,
    providerVersion: version,
    providerVersionBranch: branch,
  };
}

/** Publishes the pacts of a folder, each under the version of this checkout; publishing the same pacts again changes nothing. */
export async function publishPacts(broker: PactBroker, folder: string): Promise<void> {
  const version = ['--consumer-app-version', broker.version, '--branch', broker.branch];
  const { code, output } = await pactCli(broker, ['publish', folder, ...version]);
  if (code !== 0) throw new Error(`the Pact Broker did not accept the pacts: ${output}`);
}

/** Asks the broker whether a version of a service works with everything deployed in an environment. An error counts as "no". */
export async function canDeploy(
  broker: PactBroker,
  { service, version, environment }: { service: string; version: string; environment: string },
): Promise<{ ok: boolean; output: string }> {
  const question = ['--pacticipant', service, '--version', version, '--to-environment', environment];
  const { code, output } = await pactCli(broker, ['can-i-deploy', ...question]);
  return { ok: code === 0, output };
}

// the package's only program: a script for Node.js that starts the binary of the platform
const cli = createRequire(import.meta.url).resolve('@pact-foundation/pact-cli/bin/pact.js');

// the program itself retries 5xx responses for 64 s
const timeoutMs = 120_000;

/** Runs the broker commands of https://www.npmjs.com/package/@pact-foundation/pact-cli. */
async function pactCli(broker: PactBroker, args: string[]): Promise<{ code: number | null; output: string }> {
  // credentials in arguments would be visible to every user of the machine
  const credentials = broker.token === undefined ? {} : { PACT_BROKER_TOKEN: broker.token };
  const child = spawn(process.execPath, [cli, 'broker', ...args], {
    env: { ...process.env, PACT_BROKER_BASE_URL: broker.url, ...credentials },
    stdio: ['ignore', 'pipe', 'pipe'],
    // a separate process group, because the script does not pass signals on to the binary
    detached: true,
  });
  const overdue = setTimeout(() => child.pid !== undefined && process.kill(-child.pid, 'SIGKILL'), timeoutMs);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const code = await new Promise<number | null>((resolve, reject) =>
    child.once('error', reject).once('close', resolve),
  ).finally(() => clearTimeout(overdue));
  return { code, output: output.trim() };
}
