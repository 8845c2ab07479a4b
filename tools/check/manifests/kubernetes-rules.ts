import { nameOf, type KubernetesObject } from './kubernetes-objects.ts';

type Container = {
  name: string;
  image: string;
  startupProbe?: object;
  envFrom?: { secretRef?: { name: string } }[];
};
type Deployment = KubernetesObject & {
  spec: {
    replicas?: number;
    strategy?: { type?: string };
    template: {
      metadata: { labels: Record<string, string> };
      spec: { topologySpreadConstraints?: object[]; initContainers?: Container[]; containers: Container[] };
    };
  };
};
type Peer = { ipBlock?: { cidr: string }; namespaceSelector?: object; podSelector?: object };
type NetworkPolicy = KubernetesObject & {
  spec: {
    podSelector: { matchLabels?: Record<string, string> };
    policyTypes: string[];
    ingress?: { from?: Peer[] }[];
    egress?: { to?: Peer[] }[];
  };
};
type Budget = KubernetesObject & { spec: { selector: { matchLabels: Record<string, string> } } };

/** The address at which NodeLocal DNSCache answers on every node, unless an administrator chose another. */
const nodeLocalDns = '169.254.20.10/32';

/** Finds faults that a cluster accepts but a platform engineer would reject. `isProduction`: images must be named by digest. */
export function faultsOfRules(
  objects: readonly KubernetesObject[],
  { isProduction }: { isProduction: boolean },
): string[] {
  const ofKind = <T extends KubernetesObject>(kind: string) => objects.filter((object) => object.kind === kind) as T[];
  const budgets = ofKind<Budget>('PodDisruptionBudget');
  return [
    ...ofKind<Deployment>('Deployment').flatMap((deployment) =>
      faultsOfDeployment(deployment, { budgets, isProduction }).map((fault) => `${nameOf(deployment)}: ${fault}`),
    ),
    ...faultsOfPolicies(ofKind<NetworkPolicy>('NetworkPolicy')),
    ...ofKind('Ingress').map((ingress) => `${nameOf(ingress)}: ingress-nginx is retired; use the Gateway API`),
    ...ofKind('Namespace')
      .filter(({ metadata }) => {
        const labels = metadata['labels'] as Record<string, string> | undefined;
        return labels?.['pod-security.kubernetes.io/enforce'] !== 'restricted';
      })
      .map((namespace) => `${nameOf(namespace)}: accepts pods that are not restricted`),
  ];
}

function faultsOfDeployment(
  { spec }: Deployment,
  { budgets, isProduction }: { budgets: readonly Budget[]; isProduction: boolean },
): string[] {
  const { metadata, spec: pod } = spec.template;
  const { initContainers = [], containers, topologySpreadConstraints: spread = [] } = pod;
  const secretsOf = (list: readonly Container[]) =>
    list.flatMap(({ envFrom = [] }) =>
      envFrom.flatMap(({ secretRef }) => (secretRef === undefined ? [] : [secretRef.name])),
    );
  const shared = new Set(secretsOf(initContainers).filter((name) => secretsOf(containers).includes(name)));
  const isCovered = budgets.some(({ spec: { selector } }) =>
    Object.entries(selector.matchLabels).every(([label, value]) => metadata.labels[label] === value),
  );
  // a pod that must not run twice is replaced only after it has ended
  const isSingle = spec.replicas === 1 && spec.strategy?.type === 'Recreate';
  return [
    ...(spread.length > 0 || isSingle ? [] : ['its pods may all be on one node']),
    ...(isCovered || isSingle ? [] : ['a drain of nodes may stop all of its pods: it has no PodDisruptionBudget']),
    ...containers
      .filter(({ startupProbe }) => startupProbe === undefined)
      .map(({ name }) => `container ${name} has no startup probe`),
    ...[...shared].map((name) => `migrations have the login that serves requests, in ${name}`),
    ...[...secretsOf(initContainers), ...secretsOf(containers)]
      .filter((name) => !/-[bcdfghkmt2456789]{10}$/.test(name))
      .map((name) => `its pods do not restart when ${name} changes: the name has no hash`),
    ...[...initContainers, ...containers]
      .filter(({ image }) => isProduction && !/@sha256:[0-9a-f]{64}$/.test(image))
      .map(({ image }) => `the image ${image} is not named by digest`),
  ];
}

function faultsOfPolicies(policies: readonly NetworkPolicy[]): string[] {
  const denies = policies.some(
    ({ spec }) =>
      spec.ingress === undefined &&
      spec.egress === undefined &&
      ['Ingress', 'Egress'].every((type) => spec.policyTypes.includes(type)) &&
      spec.podSelector.matchLabels?.['app.kubernetes.io/part-of'] === 'taskwire',
  );
  const peers = policies.flatMap(({ spec }) => (spec.egress ?? []).flatMap(({ to = [] }) => to));
  const open = policies.filter(({ spec }) => spec.ingress?.some(({ from = [] }) => from.length === 0) === true);
  return [
    ...(denies ? [] : ['no NetworkPolicy denies all traffic by default']),
    ...(peers.some(({ ipBlock }) => ipBlock?.cidr === nodeLocalDns) ? [] : ['NodeLocal DNS is cut off']),
    ...open.map((policy) => `${nameOf(policy)}: any pod may connect`),
  ];
}
