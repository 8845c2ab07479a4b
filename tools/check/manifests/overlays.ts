import { cpSync, globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { clusterServers, newSecretFiles } from '../../../infra/kubernetes/secret-files.ts';
import { buildWithKustomize } from './kustomize.ts';
import type { KubernetesObject } from './kubernetes-objects.ts';

/** The objects of each overlay in a copy of `k8s`, with secrets that the command for operators makes. The key is the name of the overlay. */
export async function buildOverlays(root: string): Promise<Map<string, KubernetesObject[]>> {
  const copy = mkdtempSync(join(tmpdir(), 'taskwire-k8s-'));
  try {
    const isSecret = (path: string) => basename(path) === 'secrets' || dirname(path).endsWith('/secrets');
    cpSync(join(root, 'k8s'), copy, { recursive: true, filter: (path) => !isSecret(path) });
    const overlays = globSync('overlays/*/kustomization.yaml', { cwd: copy }).map(dirname).sort();
    const built = await Promise.all(
      overlays.map(async (overlay): Promise<[string, KubernetesObject[]]> => {
        const folder = join(copy, overlay);
        mkdirSync(join(folder, 'secrets'));
        for (const [name, text] of newSecretFiles(clusterServers('smtp://mail.example.com:587'))) {
          writeFileSync(join(folder, 'secrets', name), text, { mode: 0o600 });
        }
        return [basename(overlay), await buildWithKustomize(folder)];
      }),
    );
    return new Map(built);
  } finally {
    rmSync(copy, { recursive: true });
  }
}
