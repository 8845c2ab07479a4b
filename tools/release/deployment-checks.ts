import type { Deployments } from './deployments.ts';
import { filesOfRelease, fileOfRelease, git, readRecords, type ReleaseRecord } from './records.ts';

/** A version of a service: a release, or the commit that is to be deployed. */
export type Version = { service: string; version: string; commit: string };

/** One pact to verify: what the consumer expects, against the provider's code. */
export type PactCheck = { consumer: Version; provider: Version; pact: string };

/** The checks before a deployment, and the providers that the service needs and the environment lacks. */
export type DeploymentPlan = { checks: PactCheck[]; missing: string[] };

const folder = 'contracts/pacts';

/**
 * The pacts that decide whether the checked-out version of a service can be deployed: those of the deployed consumers against it, and its own against
 * the deployed providers. All of them come from git.
 * @throws if a deployed release is not recorded, or the clone lacks its commit.
 */
export function planDeployment(root: string, service: string, deployed: Deployments): DeploymentPlan {
  const commit = git(root, 'rev-parse', 'HEAD').trim();
  const candidate = { service, version: commit.slice(0, 7), commit };
  const running = Object.entries(deployed).flatMap(([name, releases]) =>
    releases.map((release) => ({ service: name, version: release, ...commitOf(root, release) })),
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
  return { checks: [...asProvider, ...asConsumer], missing };
}

function commitOf(root: string, release: string): Pick<ReleaseRecord, 'commit'> {
  const record = readRecords(root).find(({ version }) => version === release);
  if (record === undefined) throw new Error(`releases/ has no record of ${release}, which is deployed`);
  return { commit: record.commit };
}

function pactsIn(root: string, version: Version): { consumer: string; provider: string; text: string }[] {
  return filesOfRelease(root, version, folder).map((file) => {
    const [consumer = '', provider = ''] = file.slice(folder.length + 1, -'.json'.length).split('-');
    return { consumer, provider, text: fileOfRelease(root, version, file) ?? '' };
  });
}

type Contents = { content?: Record<string, unknown> };
type Pact = { interactions: { response?: { body?: Contents }; contents?: Contents }[] };

/** The pact of a consumer that reads a field which no provider has, as if the provider had removed it. */
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
