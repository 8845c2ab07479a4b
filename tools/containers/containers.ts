// npm run containers [-- --minutes <n>] [--seed <s>]
//
// Builds the shipped Dockerfile with podman, runs the shipped docker-compose.yml with Docker Compose over podman's socket, runs the main flow and
// then minutes of kills, and reports on the images. Exits with 0 if everything passed, with 1 after a failure, and with 2 if podman cannot run here,
// which does not count as a pass.
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { errorText } from '@taskwire/errors';
import { onStopSignal } from '../../infra/local/stop-signal.ts';
import { ensureBases } from './bases.ts';
import { buildImages } from './build.ts';
import { createEngine } from './engine.ts';
import { imageReport } from './image-report.ts';
import { runKills } from './kills.ts';
import { requirePodman, Skipped } from './requirements.ts';
import { startSuite } from './suite.ts';
import { runSuiteChecks } from './suite-checks.ts';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '2' }, seed: { type: 'string', default: String(randomInt(2 ** 31)) } },
});
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new Error('usage: npm run containers -- --minutes <n> --seed <s>');

const stopping = new AbortController();
onStopSignal(() => stopping.abort(new Error('It was interrupted.')));
const { signal } = stopping;
const began = performance.now();
const say = (text: string) =>
  console.log(
    `${((performance.now() - began) / 1000).toFixed(0).padStart(5)} s  ${text.replaceAll('\n', '\n         ')}`,
  );

const faults: string[] = [];
try {
  await requirePodman(say);
  const engine = await createEngine(signal);
  const bases = await ensureBases(engine, say);
  await buildImages(engine, say);
  faults.push(...(await imageReport(engine, say)));
  const suite = await startSuite({ engine, bases, signal, say });
  try {
    faults.push(...(await runSuiteChecks(suite, say)));
    faults.push(...(await runKills(suite, { minutes, seed: values.seed, signal, say })));
  } finally {
    await suite.stop();
  }
} catch (error) {
  if (error instanceof Skipped) {
    console.error(`npm run containers was skipped, which does not count as a pass: ${error.message}`);
    process.exit(2);
  }
  faults.push(errorText(error));
}
if (signal.aborted) faults.push('It was interrupted.');
for (const fault of faults) console.error(`FAULT  ${fault}`);
say(faults.length === 0 ? 'Images, main flow and kills passed.' : `${faults.length} faults.`);
process.exit(faults.length === 0 ? 0 : 1);
