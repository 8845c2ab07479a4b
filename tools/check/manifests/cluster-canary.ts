import type { KubernetesObject } from './kubernetes-objects.ts';
import { faultsOfRules } from './kubernetes-rules.ts';
import { faultsOfMonitors } from './scraped-jobs.ts';

const digest = `@sha256:${'0'.repeat(64)}`;
const partOf = { matchLabels: { 'app.kubernetes.io/part-of': 'taskwire' } };

type Parts = { container?: object; migrate?: object; pod?: object };

function deployment({ container = {}, migrate = {}, pod = {} }: Parts = {}): KubernetesObject {
  const secret = (name: string) => ({ envFrom: [{ secretRef: { name } }] });
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'one' },
    spec: {
      template: {
        metadata: { labels: { app: 'one' } },
        spec: {
          topologySpreadConstraints: [{}],
          initContainers: [{ name: 'migrate', image: `i${digest}`, ...secret('owner-2456789245'), ...migrate }],
          containers: [{ name: 'c', image: `i${digest}`, startupProbe: {}, ...secret('one-2456789245'), ...container }],
          ...pod,
        },
      },
    },
  };
}
const budget: KubernetesObject = {
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: { name: 'one' },
  spec: { selector: { matchLabels: { app: 'one' } } },
};
const policy = (name: string, spec: object): KubernetesObject => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name },
  spec,
});
const deny = policy('deny', { podSelector: partOf, policyTypes: ['Ingress', 'Egress'] });
const names = policy('names', {
  podSelector: partOf,
  policyTypes: ['Egress'],
  egress: [{ to: [{ ipBlock: { cidr: '169.254.20.10/32' } }] }],
});
const namespace = (labels: object): KubernetesObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'one', labels },
});
const restricted = namespace({ 'pod-security.kubernetes.io/enforce': 'restricted' });
const fine = [deployment(), budget, deny, names, restricted];

const without = (object: KubernetesObject) => fine.filter((one) => one !== object);
const instead = (object: KubernetesObject) => [object, ...fine.slice(1)];

const broken: { seenAs: RegExp; objects: KubernetesObject[] }[] = [
  { seenAs: /may all be on one node/, objects: instead(deployment({ pod: { topologySpreadConstraints: [] } })) },
  { seenAs: /no PodDisruptionBudget/, objects: without(budget) },
  { seenAs: /has no startup probe/, objects: instead(deployment({ container: { startupProbe: undefined } })) },
  {
    seenAs: /the login that serves requests/,
    objects: instead(deployment({ migrate: { envFrom: [{ secretRef: { name: 'one-2456789245' } }] } })),
  },
  {
    seenAs: /the name has no hash/,
    objects: instead(deployment({ container: { envFrom: [{ secretRef: { name: 'auth-secrets' } }] } })),
  },
  { seenAs: /not named by digest/, objects: instead(deployment({ container: { image: 'i:1.0.0' } })) },
  { seenAs: /not named by digest/, objects: instead(deployment({ migrate: { image: 'i:1.0.0' } })) },
  { seenAs: /denies all traffic/, objects: without(deny) },
  { seenAs: /NodeLocal DNS/, objects: without(names) },
  {
    seenAs: /any pod may connect/,
    objects: [
      ...fine,
      policy('open', { podSelector: partOf, policyTypes: ['Ingress'], ingress: [{ ports: [{ port: 80 }] }] }),
    ],
  },
  { seenAs: /not restricted/, objects: [...without(restricted), namespace({})] },
  {
    seenAs: /use the Gateway API/,
    objects: [...fine, { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata: { name: 'one' } }],
  },
];

const rules: KubernetesObject = {
  apiVersion: 'monitoring.coreos.com/v1',
  kind: 'PrometheusRule',
  metadata: { name: 'one' },
};
const monitor = (endpoint: object): KubernetesObject => ({
  apiVersion: 'monitoring.coreos.com/v1',
  kind: 'PodMonitor',
  metadata: { name: 'one' },
  spec: { selector: { matchLabels: { app: 'one' } }, podMetricsEndpoints: [endpoint] },
});
const ofLabel = { targetLabel: 'job', sourceLabels: ['__meta_kubernetes_pod_label_app'] };
const scraped = [
  rules,
  deployment({ container: { ports: [{ name: 'http' }] } }),
  monitor({ port: 'http', relabelings: [ofLabel] }),
];
const notScraped = [
  { seenAs: /no PodMonitor scrapes the job one/, objects: [...scraped.slice(0, 2), monitor({ port: 'http' })] },
  { seenAs: /no container has the port metrics/, objects: [...scraped, monitor({ port: 'metrics' })] },
];

/** The rules that no longer find their broken objects, and the faults that they find where nothing is wrong. */
export function checkClusterRules(): string[] {
  const faults = (objects: readonly KubernetesObject[]) => faultsOfRules(objects, { isProduction: true });
  return [
    ...broken
      .filter(({ seenAs, objects }) => !faults(objects).some((fault) => seenAs.test(fault)))
      .map(({ seenAs }) => `Canary: the rules for clusters no longer detect ${seenAs.source}`),
    ...notScraped
      .filter(({ seenAs, objects }) => !faultsOfMonitors(objects, ['one']).some((fault) => seenAs.test(fault)))
      .map(({ seenAs }) => `Canary: the rules for monitors no longer detect ${seenAs.source}`),
    ...[...faults(fine), ...faultsOfMonitors(scraped, ['one'])].map(
      (fault) => `Canary: a fault was reported where nothing is wrong: ${fault}`,
    ),
  ];
}
