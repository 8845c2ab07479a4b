// npm run rollout -- <overlay> --to <environment> --release <version> --images <file.json> [--verify <command>] [--timeout-seconds <n>]
//
// Rolls a release out with kubectl, and rolls back to the previous images if a pod does not become ready or the command of --verify fails. Records
// the rollout and a rollback in deployments/<environment>.json, which the caller commits together with the overlay. To roll back manually, roll out
// the previous release. Exits with 1 if nothing changed or the rollout was rolled back, and with 2 if neither version became ready.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { errorText } from '@taskwire/errors';
import { parseImages } from './overlay-images.ts';
import { rollOut, type Rollout, type RolloutEnd } from './roll-out.ts';
import { recordRollout } from './write-deployments.ts';

const usage =
  'usage: npm run rollout -- <overlay> --to <environment> --release <version> --images <file.json> [--verify <command>] [--timeout-seconds <n>]';
const root = fileURLToPath(new URL('../../', import.meta.url));
// a rollback must end within five minutes; its own `kubectl apply` takes seconds
const defaultTimeoutSeconds = '270';

try {
  const { environment, release, rollout } = readArguments();
  const record = recordRollout(root, environment, release);
  const end = await rollOut({ ...rollout, onStart: record.start }).catch((error: unknown) => {
    if (record.isStarted()) process.exitCode = 2;
    throw error;
  });
  record.finish(end.kind);
  console.log(describe(end, environment, release));
  if (end.kind === 'rolled-back') process.exitCode = 1;
} catch (error) {
  console.error(errorText(error));
  process.exitCode ??= 1;
}

function describe(end: RolloutEnd, environment: string, release: string): string {
  switch (end.kind) {
    case 'rolled-out':
      return `${environment} runs ${release}.`;
    case 'rolled-back':
      return `${environment} runs its previous images; ${release} was rolled back: ${end.reason}`;
  }
}

function readArguments(): { environment: string; release: string; rollout: Omit<Rollout, 'onStart'> } {
  const text = { type: 'string' } as const;
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      ...{ to: text, release: text, images: text, verify: text },
      'timeout-seconds': { ...text, default: defaultTimeoutSeconds },
    },
  });
  const [overlay, ...rest] = positionals;
  const { to: environment, release, images, verify, 'timeout-seconds': timeout } = values;
  const isComplete = environment !== undefined && release !== undefined && images !== undefined;
  if (overlay === undefined || rest.length > 0 || !isComplete || !/^[1-9]\d{0,3}$/.test(timeout))
    throw new Error(usage);
  return {
    environment,
    release,
    rollout: { overlay, images: readImages(images), verify, timeoutSeconds: Number(timeout), say: console.log },
  };
}

function readImages(file: string) {
  try {
    return parseImages(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`${file}: ${errorText(error)}`, { cause: error });
  }
}
