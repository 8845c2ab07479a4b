import { checkClusterRules } from './cluster-canary.ts';
import { faultsOfCompose } from './compose.ts';
import { faultsOfDockerfile } from './dockerfile.ts';
import { faultsOfObjects, type KubernetesObject } from './kubernetes-objects.ts';
import { faultsOfReferences } from './kubernetes-references.ts';

const pod = (container: object) => ({
  metadata: { labels: { app: 'a' } },
  spec: { containers: [{ name: 'c', image: 'i', ...container }] },
});
const deployment = (spec: object): KubernetesObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'canary' },
  spec: { selector: { matchLabels: { app: 'a' } }, template: pod({}), ...spec },
});

/** Objects that each have one fault that a validator must detect; a validator that no longer detects it is reported here. */
const broken: { seenAs: RegExp; object: KubernetesObject }[] = [
  { seenAs: /'"replica"' does not exist/, object: deployment({ replica: 3 }) },
  { seenAs: /'"port"' does not exist/, object: deployment({ template: pod({ port: [] }) }) },
  {
    seenAs: /containerPort must be integer/,
    object: deployment({ template: pod({ ports: [{ containerPort: 'http' }] }) }),
  },
  { seenAs: /selector/, object: deployment({ selector: undefined }) },
  {
    seenAs: /RabbitmqCluster canary: .*"additionalProperty":"replica"/,
    object: {
      apiVersion: 'rabbitmq.com/v1beta1',
      kind: 'RabbitmqCluster',
      metadata: { name: 'canary' },
      spec: { replica: 3 },
    },
  },
  {
    seenAs: /Cluster canary: .*instances must be integer/,
    object: {
      apiVersion: 'postgresql.cnpg.io/v1',
      kind: 'Cluster',
      metadata: { name: 'canary' },
      spec: { instances: '3' },
    },
  },
  {
    seenAs: /HTTPRoute canary: .*'"hostname"' does not exist/,
    object: {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'HTTPRoute',
      metadata: { name: 'canary' },
      spec: { hostname: ['a'] },
    },
  },
  { seenAs: /has no Deployment of apps\/v2/, object: { ...deployment({}), apiVersion: 'apps/v2' } },
];

const compose = (service: object, rest: object = {}) =>
  JSON.stringify({ services: { one: { ...container, ...service } }, ...rest });
const container = {
  image: 'postgres:18.6',
  mem_limit: '64m',
  cpus: 1,
  pids_limit: 64,
  logging: { options: { 'max-size': '10m', 'max-file': '5' } },
};
const own = {
  image: 'taskwire/auth:${TASKWIRE_VERSION:-local}',
  read_only: true,
  cap_drop: ['ALL'],
  security_opt: ['no-new-privileges:true'],
  healthcheck: { test: ['CMD', 'true'] },
};
const brokenCompose: { seenAs: RegExp; text: string }[] = [
  { seenAs: /must NOT have additional properties/, text: compose({ imagee: 'i' }) },
  { seenAs: /depends on two/, text: compose({ depends_on: { two: { condition: 'service_started' } } }) },
  { seenAs: /waits for one to be healthy/, text: compose({ depends_on: { one: { condition: 'service_healthy' } } }) },
  { seenAs: /no volume data/, text: compose({ volumes: ['data:/data'] }) },
  { seenAs: /publishes a port/, text: compose({ ports: ['5432:5432'] }) },
  { seenAs: /secret in the file/, text: compose({ environment: { DB_PASSWORD: 'postgres' } }) },
  { seenAs: /secret in the file/, text: compose({ environment: { DATABASE_URL: 'postgres://a:${PASSWORD:-b}@c/d' } }) },
  { seenAs: /has no tag/, text: compose({ ...own, image: 'taskwire/auth' }) },
  { seenAs: /the tag latest/, text: compose({ ...own, image: 'taskwire/auth:latest' }) },
  { seenAs: /is not an exact version/, text: compose({ image: 'postgres:18' }) },
  { seenAs: /is not an exact version/, text: compose({ image: '${RABBITMQ_IMAGE:-rabbitmq:4-management}' }) },
  { seenAs: /no limit for memory/, text: compose({ mem_limit: undefined }) },
  { seenAs: /no limit for memory/, text: compose({ cpus: undefined }) },
  { seenAs: /keeps it from starting/, text: compose({ cpus: 3 }) },
  { seenAs: /no limit for memory/, text: compose({ pids_limit: undefined }) },
  { seenAs: /logs without a limit/, text: compose({ logging: { options: { 'max-size': '10m' } } }) },
  { seenAs: /podman refuses the owner/, text: compose({ tmpfs: ['/var/cache/taskwire:uid=101,gid=101,mode=0700'] }) },
  { seenAs: /no health check here/, text: compose({ ...own, healthcheck: undefined }) },
  { seenAs: /may write to its image/, text: compose({ ...own, read_only: false }) },
  { seenAs: /keeps capabilities/, text: compose({ ...own, cap_drop: [] }) },
  { seenAs: /may gain privileges/, text: compose({ ...own, security_opt: [] }) },
  {
    seenAs: /no network that leads outside/,
    text: compose(
      { environment: { SMTP_URL: 'smtp://mail:25' }, networks: ['in'] },
      { networks: { in: { internal: true } } },
    ),
  },
];

const dockerfile = 'ARG BASE_IMAGE=node:26.1.0-slim\nFROM ${BASE_IMAGE} AS one\nUSER 10:10\n';
const brokenDockerfiles: { seenAs: RegExp; text: string }[] = [
  { seenAs: /is not an exact version/, text: dockerfile.replace('26.1.0', '26') },
  { seenAs: /is not an exact version/, text: `${dockerfile}FROM debian:bookworm AS two\nUSER 10:10\n` },
  { seenAs: /is not the Node/, text: dockerfile.replace('26.1.0', '26.2.0') },
  { seenAs: /HEALTHCHECK is lost/, text: `${dockerfile}HEALTHCHECK CMD true\n` },
  { seenAs: /runs as root/, text: dockerfile.replace('USER 10:10', '') },
  { seenAs: /runs as root/, text: dockerfile.replace('USER 10:10', 'USER 0:0') },
];
const dockerfileFaults = (text: string) => faultsOfDockerfile(text, { node: '26.1.0' });

/** The faults above that the validators miss, and the faults that they report although nothing is wrong. */
export async function checkValidators(): Promise<string[]> {
  // one call for all, because building the types takes most of the time
  const seen = await faultsOfObjects(broken.map(({ object }) => object));
  const fine = await faultsOfObjects([deployment({})]);
  const blind = [
    ...broken.filter(({ seenAs }) => !seen.some((fault) => seenAs.test(fault))),
    ...brokenCompose.filter(({ seenAs, text }) => !faultsOfCompose(text).some((fault) => seenAs.test(fault))),
    ...brokenDockerfiles.filter(({ seenAs, text }) => !dockerfileFaults(text).some((fault) => seenAs.test(fault))),
    ...(faultsOfReferences([deployment({})]).length >= 4 ? [] : [{ seenAs: /unguarded pod/ }]),
  ];
  return [
    ...checkClusterRules(),
    ...blind.map(({ seenAs }) => `Canary: the validators no longer detect ${seenAs.source}`),
    ...[
      ...fine,
      ...faultsOfCompose(compose({})),
      ...faultsOfCompose(compose(own)),
      ...dockerfileFaults(dockerfile),
    ].map((fault) => `Canary: a fault was reported where nothing is wrong: ${fault}`),
  ];
}
