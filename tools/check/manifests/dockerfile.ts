import { isExactImage } from './container-rules.ts';

/** The versions that other files of the repository name. */
export type KnownVersions = { node: string };

/** The faults of the Dockerfile that no build reports. */
export function faultsOfDockerfile(text: string, { node }: KnownVersions): string[] {
  const lines = text.split('\n');
  const bases = lines.flatMap((line) => {
    const [, name, image] = /^ARG (\w+_IMAGE)=(\S+)/.exec(line) ?? [];
    return name === undefined || image === undefined ? [] : [{ name, image }];
  });
  const direct = lines.flatMap((line) => {
    const [, image] = /^FROM (\S+:\S+)/.exec(line) ?? [];
    return image === undefined ? [] : [{ name: 'FROM', image }];
  });
  return [
    ...[...bases, ...direct]
      .filter(({ image }) => !isExactImage(image))
      .map(({ name, image }) => `${name} ${image} is not an exact version or a digest`),
    ...bases
      .filter(({ image }) => image.startsWith('node:') && !image.startsWith(`node:${node}-`))
      .map(({ name, image }) => `${name} ${image} is not the Node ${node} of package.json`),
    ...(/^HEALTHCHECK/m.test(text) ? ['HEALTHCHECK is lost in the OCI format; it belongs in docker-compose.yml'] : []),
    ...finalStages(lines)
      .filter(({ body }) => !/^USER [1-9]\d*:[1-9]\d*$/m.test(body))
      .map(({ name }) => `the image ${name} runs as root: it has no numeric USER`),
  ];
}

/** The stages that no other stage starts from or copies from: the images that are shipped. */
function finalStages(lines: readonly string[]): { name: string; body: string }[] {
  const stages: { name: string; body: string }[] = [];
  for (const line of lines) {
    const name = /^FROM \S+ AS (\S+)/.exec(line)?.[1];
    if (name !== undefined) stages.push({ name, body: '' });
    const stage = stages.at(-1);
    if (stage !== undefined) stage.body += `${line}\n`;
  }
  const text = lines.join('\n');
  return stages.filter(({ name }) => !new RegExp(`^FROM ${name} |--from=${name} `, 'm').test(text));
}
