import type { Deployments } from './deployments.ts';
import { filesOfRelease, fileOfRelease, git, readRecords } from './records.ts';

/** A version of a service: a release, or the commit to be deployed. */
export type Version = { service: string; version: string; commit: string };

/** A pact to verify: the consumer's expectations of the provider's code. */
export type PactCheck = { consumer: Version; provider: Version; pact: string };

/** The checks before a deployment, and the providers that the service needs but the environment lacks. */
export type DeploymentPlan = { candidate: Version; checks: PactCheck[]; missing: string[] };

const folder = 'contracts/pacts';

/**
 * The pacts that decide whether a release of a service, or else its checked-out version, can be deployed: the pacts of the deployed consumers with
 * it, and its own pacts with the deployed providers. All of them are read from git.
 * @throws if a deployed release is not recorded, or if the clone lacks its commit.
 */
export function planDeployment(
  root: string,
  { service, release }: { service: string; release?: string | undefined },
  deployed: Deployments,
): DeploymentPlan {
  const candidate = { service, ...(release === undefined ? checkedOut(root) : releaseOf(root, release)) };
  const running = Object.entries(deployed).flatMap(([name, releases]) =>
    releases.map((each) => ({ service: name, ...releaseOf(root, each) })),
  );
  const others = running.filter((each) => each.service !== service);
  const asProvider = others.flatMap((consumer) =>
    pactsIn(root, consumer)
      .filter((pact) => pact.consumer === consumer.service && pact.provider === service)
      .map(({ text }) => ({ consumer, provider: candidate, pact: text })),
  );
  const own = pactsIn(root, candidate).filter(({ consumer }) => consumer === service);
  const asConsumer = own.flatMap(({ provider: name, text }) =>
    others.filter((each) => each.service === name).map((provider) => ({ consumer: candidate, provider, pact: text })),
  );
  const missing = own.map(({ provider }) => provider).filter((name) => deployed[name] === undefined);
  return { candidate, checks: [...asProvider, ...asConsumer], missing };
}

function checkedOut(root: string): Omit<Version, 'service'> {
  const commit = git(root, 'rev-parse', 'HEAD').trim();
  return { version: commit.slice(0, 7), commit };
}

function releaseOf(root: string, release: string): Omit<Version, 'service'> {
  const record = readRecords(root).find(({ version }) => version === release);
  if (record === undefined) throw new Error(`releases/ has no record of ${release}`);
  return { version: release, commit: record.commit };
}

function pactsIn(root: string, version: Version): { consumer: string; provider: string; text: string }[] {
  return filesOfRelease(root, version, folder).map((file) => {
    const [consumer = '', provider = ''] = file.slice(folder.length + 1, -'.json'.length).split('-');
    return { consumer, provider, text: fileOfRelease(root, version, file) ?? '' };
  });
}

type Contents = { content?: Record<string, unknown> };
type Pact = { interactions: { response?: { body?: Contents }; contents?: Contents }[] };

/** Returns the pact with an additional field that the provider lacks, as if the provider had removed the field. */
export function withRemovedField(pact: string): string {
  const changed = JSON.parse(pact) as Pact;
  const bodies = changed.interactions.flatMap(({ response, contents }) => [response?.body, contents]);
  const objects = bodies.flatMap((body) =>
    body?.content !== undefined && !Array.isArray(body.content) && typeof body.content === 'object'
      ? [body.content]
      : [],
  );
  if (objects.length === 0) throw new Error('the pact has no body from which a field could be removed');
  for (const content of objects) content['field_that_was_removed'] = 'text';
  return JSON.stringify(changed);
}
