import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { kubectl } from './kubectl.ts';
import type { KubernetesObject } from './kubernetes-objects.ts';

const run = promisify(execFile);

/** The objects that `kubectl kustomize` produces from a folder. @throws with kustomize's own message. */
export async function buildWithKustomize(folder: string): Promise<KubernetesObject[]> {
  const { stdout, stderr } = await run(kubectl(), ['kustomize', folder], { maxBuffer: 64 * 1024 * 1024 });
  // kustomize warns about syntax that it will no longer accept
  if (stderr.trim() !== '') throw new Error(`kubectl kustomize ${folder}: ${stderr.trim()}`);
  return readObjects(stdout, folder);
}

/**
 * Whether kubectl has kustomize 5, included since 1.27. Debian 12 has kubectl 1.20 with kustomize 2, which cannot read today's
 * kustomizations.
 */
export async function hasKustomize(): Promise<boolean> {
  const { stdout } = await run(kubectl(), ['version', '--client', '--output', 'json']).catch(() => ({ stdout: '{}' }));
  const { kustomizeVersion = '' } = JSON.parse(stdout) as { kustomizeVersion?: string };
  return Number(/^v(\d+)\./.exec(kustomizeVersion)?.[1] ?? 0) >= 5;
}

/** The objects in the files of a folder, without patches and overlays. */
export function readPlainObjects(folder: string): KubernetesObject[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.yaml') && file !== 'kustomization.yaml');
  return files.flatMap((file) => readObjects(readFileSync(join(folder, file), 'utf8'), file));
}

function readObjects(text: string, source: string): KubernetesObject[] {
  return parseAllDocuments(text).map((document) => {
    const [error] = document.errors;
    if (error) throw new Error(`${source}: ${error.message}`);
    return withPlainData(document.toJS() as KubernetesObject);
  });
}

/** kustomize folds long values of secrets; Kubernetes ignores the line breaks, and the models do not. */
function withPlainData(object: KubernetesObject): KubernetesObject {
  if (object.kind !== 'Secret' || object['data'] === undefined) return object;
  const data = Object.entries(object['data'] as Record<string, string>);
  return { ...object, data: Object.fromEntries(data.map(([key, value]) => [key, value.replaceAll(/\s/g, '')])) };
}
