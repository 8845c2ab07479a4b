import { certificatesInBuild, images, referenceOf, type ImageName } from './build.ts';
import type { Engine } from './engine.ts';

/** The properties of an image that its users rely on. */
export type ImageFacts = {
  name: ImageName;
  bytes: number;
  /** `USER` of the image, and the user id of a process in a container. */
  user: string;
  uid: string;
  /** Programs that build or install something. */
  buildTools: string[];
  /** Files of ours that only tests use. */
  testFiles: string[];
  /** Files of the machine that built it. */
  remains: string[];
  /** The exit code of `taskwire --help`; undefined for an image without operators' commands. */
  operatorsHelp: number | undefined;
};

/** The faults of an image. */
export function faultsOfImage(facts: ImageFacts): string[] {
  const { name, user, uid, buildTools, testFiles, remains, operatorsHelp } = facts;
  return [
    ...(/^[1-9]\d*(:[1-9]\d*)?$/.test(user) && /^[1-9]\d*$/.test(uid)
      ? []
      : [`runs as user ${user} with id ${uid}, not as a numbered user without rights`]),
    ...(buildTools.length === 0 ? [] : [`contains ${buildTools.join(', ')}`]),
    ...(testFiles.length === 0 ? [] : [`contains code for tests: ${testFiles.slice(0, 5).join(', ')}`]),
    ...(remains.length === 0 ? [] : [`contains files of the machine that built it: ${remains.join(', ')}`]),
    ...(operatorsHelp === 0 || operatorsHelp === undefined
      ? []
      : [`its command taskwire --help ends with exit code ${operatorsHelp}`]),
  ].map((fault) => `taskwire/${name} ${fault}`);
}

const buildTools = 'gcc g++ cc c++ make cmake python3 git curl npm npx pnpm yarn corepack node-gyp tsc';

/** Ignores folders named node_modules, because third-party dependencies may contain tests; our own packages are only linked there. */
const search = `
for program in ${buildTools}; do if command -v $program >/dev/null; then echo "tool $program"; fi; done
find / -xdev -name node_modules -prune -o -path /proc -prune -o \\( -path '/app/*/test/*' -o -path '/app/*.test.ts' -o -path '/app/*-testing/*' -o -path '/app/*testing/src/*' -o -path '/app/packages/process-supervisor/src/*' -o -path '/app/e2e/*' \\) -type f -print 2>/dev/null | sed 's/^/test /'
for file in /root/.npmrc ${certificatesInBuild}; do if [ -s "$file" ]; then echo "remains $file"; fi; done
find / -xdev -path /proc -prune -o \\( -name .env -o -name '.env.*' -o -name .git \\) -print 2>/dev/null | sed 's/^/remains /'
exit 0
`;

/** Inspects each image, prints its size and returns the faults. */
export async function imageReport(engine: Engine, say: (text: string) => void): Promise<string[]> {
  const faults: string[] = [];
  for (const { name } of images) {
    const facts = await factsOf(engine, name);
    say(`taskwire/${name}  ${(facts.bytes / 1e6).toFixed(0)} MB, user ${facts.user}`);
    faults.push(...faultsOfImage(facts));
  }
  return faults;
}

async function factsOf(engine: Engine, name: ImageName): Promise<ImageFacts> {
  const reference = referenceOf(name);
  const [size, user = ''] = (
    await engine.podman(['image', 'inspect', '--format', '{{.Size}} {{.Config.User}}', reference])
  ).split(' ');
  const inside = async (...args: string[]) =>
    await engine.tryPodman(['run', '--rm', '--network', 'none', '--read-only', ...args]);
  const uid = await inside('--entrypoint', 'id', reference, '-u');
  const found = await inside('--user', '0:0', '--entrypoint', 'sh', reference, '-c', search);
  if (found.code !== 0) throw new Error(`The image of ${name} could not be searched: ${found.stderr}`);
  const of = (kind: string) =>
    found.stdout.split('\n').flatMap((line) => (line.startsWith(`${kind} `) ? [line.slice(kind.length + 1)] : []));
  const isService = name !== 'gateway' && name !== 'observer';
  const help = isService ? (await inside('--entrypoint', 'taskwire', reference, '--help')).code : undefined;
  return {
    name,
    user,
    bytes: Number(size),
    uid: uid.stdout.trim(),
    buildTools: of('tool'),
    testFiles: of('test'),
    remains: of('remains'),
    operatorsHelp: help,
  };
}
