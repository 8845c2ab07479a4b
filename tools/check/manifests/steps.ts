import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { jobs } from '../../../infra/observability/causes.ts';
import { root, type Step } from '../step.ts';
import { checkValidators } from './canary.ts';
import { faultsOfCompose } from './compose.ts';
import { faultsOfDockerfile } from './dockerfile.ts';
import { faultsOfObjects } from './kubernetes-objects.ts';
import { faultsOfReferences } from './kubernetes-references.ts';
import { faultsOfRules } from './kubernetes-rules.ts';
import { hasKustomize, readPlainObjects } from './kustomize.ts';
import { buildOverlays } from './overlays.ts';
import { faultsOfMonitors } from './scraped-jobs.ts';

let plain = false;

/** Every object of every overlay, as a cluster would receive it. */
export const clusterStep: Step = {
  name: 'Kubernetes manifests',
  note: () =>
    plain ? 'without kubectl 1.27 or later, only the files of the base were checked; no overlay was built' : undefined,
  async faults() {
    const dead = await checkValidators();
    if (dead.length > 0) return dead;
    if (!(await hasKustomize())) return await withoutKustomize();
    const overlays = await buildOverlays(root);
    if (!overlays.has('production')) return ['k8s/overlays has no production: the check is looking in the wrong place'];
    const found = await Promise.all(
      [...overlays].map(async ([overlay, objects]) => {
        const faults = [
          ...(await faultsOfObjects(objects)),
          ...faultsOfReferences(objects),
          ...faultsOfMonitors(objects, jobs),
          ...faultsOfRules(objects, { isProduction: overlay === 'production' }),
        ];
        return faults.map((fault) => `${overlay}: ${fault}`);
      }),
    );
    return found.flat();
  },
};

export const composeStep: Step = {
  name: 'docker-compose.yml, Dockerfile',
  faults() {
    const read = (file: string) => readFileSync(join(root, file), 'utf8');
    const compose = read('docker-compose.yml');
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: { node: string } };
    return Promise.resolve([
      ...faultsOfCompose(compose),
      ...faultsOfDockerfile(read('Dockerfile'), { node: dependencies.node }).map((fault) => `Dockerfile: ${fault}`),
      ...faultsOfMailCatcher(compose, read('pnpm-lock.yaml')),
    ]);
  },
};

/** Containers use the same mail catcher as npm start. */
function faultsOfMailCatcher(compose: string, lockfile: string): string[] {
  const image = /maildev\/maildev:([\d.]+)/.exec(compose)?.[1];
  const installed = /^ {2}maildev@([\d.]+):/m.exec(lockfile)?.[1];
  return image !== undefined && image === installed
    ? []
    : [`maildev is ${image ?? 'missing'} in docker-compose.yml, and ${installed ?? 'missing'} in pnpm-lock.yaml`];
}

/** Validates the complete objects in the files of the base against the API; objects completed by patches cannot be validated this way. */
async function withoutKustomize(): Promise<string[]> {
  if (process.env['CI'] !== undefined) return ['kubectl 1.27 or later is needed to build the overlays'];
  plain = true;
  const objects = readPlainObjects(join(root, 'k8s/base')).filter(({ metadata }) => metadata.name !== 'every-service');
  return await faultsOfObjects(objects);
}
