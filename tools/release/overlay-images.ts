import { isScalar, parseDocument } from 'yaml';
import { z } from 'zod';

/** The images of the suite: one for each service, the gateway, and its exporter with the probe. */
const names = ['auth', 'tasks', 'notifications', 'gateway', 'observer'] as const;

const reference = z
  .string()
  .regex(/^[^\s@]+@sha256:[0-9a-f]{64}$/, 'must be an image by digest, such as registry.example.com/auth@sha256:…');

const imagesSchema = z.strictObject({
  auth: reference,
  tasks: reference,
  notifications: reference,
  gateway: reference,
  observer: reference,
});

/** The image of each part by its digest: a tag can be moved, so it does not identify the running image. */
export type Images = z.infer<typeof imagesSchema>;

/** Reads the JSON of a release's images. @throws an error that names the field, if an image is missing, unknown, or identified by a tag. */
export function parseImages(text: string): Images {
  const { data, error } = imagesSchema.safeParse(JSON.parse(text));
  if (error !== undefined) throw new Error(z.prettifyError(error));
  return data;
}

/** Returns the namespace of an overlay. @throws if the overlay sets none, because `kubectl rollout status` needs it. */
export function namespaceOf(kustomization: string): string {
  const namespace: unknown = parseDocument(kustomization).get('namespace');
  if (typeof namespace !== 'string') throw new Error('the kustomization.yaml sets no namespace');
  return namespace;
}

/** Returns a kustomization with the given images and otherwise unchanged. @throws if it lacks `newName` or `digest` for one of them. */
export function withImages(kustomization: string, images: Images): string {
  const document = parseDocument(kustomization);
  const { images: entries = [] } = document.toJS() as { images?: { name?: string }[] };
  const changes = names.flatMap((name) => {
    const index = entries.findIndex((entry) => entry.name === `taskwire/${name}`);
    return Object.entries(partsOf(images[name])).map(([key, value]) => {
      const node = document.getIn(['images', index, key], true);
      if (!isScalar(node) || !node.range)
        throw new Error(`the kustomization.yaml has no ${key} of taskwire/${name} in its images`);
      return { start: node.range[0], end: node.range[1], value };
    });
  });
  return changes
    .toSorted((a, b) => b.start - a.start)
    .reduce((text, { start, end, value }) => text.slice(0, start) + value + text.slice(end), kustomization);
}

function partsOf(image: string): { newName: string; digest: string } {
  const [newName = '', digest = ''] = image.split('@');
  return { newName, digest };
}
