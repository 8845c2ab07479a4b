import { execFileSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

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

/** Publishes the pacts of a folder, each for the version of this checkout; publishing the same pacts again changes nothing. */
export async function publishPacts(broker: PactBroker, folder: string): Promise<void> {
  const files = globSync('*.json', { cwd: folder }).map((file) => readFileSync(join(folder, file)));
  const pacts = files.map((file) => {
    const { consumer, provider } = JSON.parse(file.toString()) as Record<'consumer' | 'provider', { name: string }>;
    return { consumerName: consumer.name, providerName: provider.name, content: file.toString('base64') };
  });
  for (const [consumer, contracts] of Map.groupBy(pacts, ({ consumerName }) => consumerName)) {
    const answer = await ask(broker, '/contracts/publish', {
      pacticipantName: consumer,
      pacticipantVersionNumber: broker.version,
      branch: broker.branch,
      contracts: contracts.map((contract) => ({
        ...contract,
        specification: 'pact',
        contentType: 'application/json',
      })),
    });
    if (!answer.ok) throw new Error(`the Pact Broker responded with ${answer.status} to the pacts of ${consumer}`);
  }
}

/** Whether this version of a service works with everything deployed in an environment, and the broker's reason. */
export async function canDeploy(
  broker: PactBroker,
  service: string,
  environment: string,
): Promise<{ ok: boolean; reason: string }> {
  const query = new URLSearchParams({ pacticipant: service, version: broker.version, environment });
  const answer = await ask(broker, `/can-i-deploy?${query}`);
  if (!answer.ok) throw new Error(`the Pact Broker responded with ${answer.status} about ${service}`);
  const { summary } = (await answer.json()) as { summary: { deployable: boolean | null; reason: string } };
  return { ok: summary.deployable === true, reason: summary.reason };
}

async function ask({ url, token }: PactBroker, path: string, body?: unknown): Promise<Response> {
  return await fetch(`${url}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      accept: 'application/hal+json, application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    body: body === undefined ? null : JSON.stringify(body),
    signal: AbortSignal.timeout(30_000),
  });
}
