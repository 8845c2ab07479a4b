import { faultsOfCompose } from './compose.ts';
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

/** Objects that each have one fault that a validator must detect; a validator that detects it no longer is reported here. */
const broken: { seenAs: RegExp; object: KubernetesObject }[] = [
  { seenAs: /'"replica"' does not exist/, object: deployment({ replica: 3 }) },
  { seenAs: /'"port"' does not exist/, object: deployment({ template: pod({ port: [] }) }) },
  {
    seenAs: /containerPort must be integer/,
    object: deployment({ template: pod({ ports: [{ containerPort: 'http' }] }) }),
  },
  { seenAs: /selector/, object: deployment({ selector: undefined }) },
  { seenAs: /has no Deployment of apps\/v2/, object: { ...deployment({}), apiVersion: 'apps/v2' } },
];

const compose = (service: object, rest: object = {}) =>
  JSON.stringify({ services: { one: { image: 'i', ...service } }, ...rest });
const brokenCompose: { seenAs: RegExp; text: string }[] = [
  { seenAs: /must NOT have additional properties/, text: compose({ imagee: 'i' }) },
  { seenAs: /depends on two/, text: compose({ depends_on: { two: { condition: 'service_started' } } }) },
  { seenAs: /waits for one to be healthy/, text: compose({ depends_on: { one: { condition: 'service_healthy' } } }) },
  { seenAs: /no volume data/, text: compose({ volumes: ['data:/data'] }) },
  { seenAs: /publishes a port/, text: compose({ ports: ['5432:5432'] }) },
  { seenAs: /secret in the file/, text: compose({ environment: { DB_PASSWORD: 'postgres' } }) },
  { seenAs: /secret in the file/, text: compose({ environment: { DATABASE_URL: 'postgres://a:${PASSWORD:-b}@c/d' } }) },
];

/** The faults above that the validators miss, and the faults that they report although nothing is wrong. */
export async function checkValidators(): Promise<string[]> {
  // one call for all, because building the types takes most of the time
  const seen = await faultsOfObjects(broken.map(({ object }) => object));
  const fine = await faultsOfObjects([deployment({})]);
  const blind = [
    ...broken.filter(({ seenAs }) => !seen.some((fault) => seenAs.test(fault))),
    ...brokenCompose.filter(({ seenAs, text }) => !faultsOfCompose(text).some((fault) => seenAs.test(fault))),
    ...(faultsOfReferences([deployment({})]).length >= 4 ? [] : [{ seenAs: /unguarded pod/ }]),
  ];
  return [
    ...blind.map(({ seenAs }) => `Canary: the validators no longer detect ${seenAs.source}`),
    ...[...fine, ...faultsOfCompose(compose({}))].map(
      (fault) => `Canary: nothing is wrong, but reported was: ${fault}`,
    ),
  ];
}
