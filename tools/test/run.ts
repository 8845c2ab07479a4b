// npm test [-- <part of a path> …] [-- --grep <text>]
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { errorText } from '@taskwire/errors';
import { disposableFolder, guardFolder, releaseFolder } from '@taskwire/process-supervisor';
import { installBrowser, installPooler, installPrograms } from '../../infra/local/install-programs.ts';
import { onStopSignal } from '../../infra/local/stop-signal.ts';
import { runStage, type StageResult } from './run-stage.ts';
import { startTestServers, type TestServers } from './servers.ts';
import { clientStages, filesOf, needsBrowser, needsPooler, stages } from './stages.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const { filters, mochaArgs } = readArguments(process.argv.slice(2));
const began = performance.now();
const say = (text: string) => console.log(`[${((performance.now() - began) / 1000).toFixed(1).padStart(5)} s] ${text}`);

const dir = disposableFolder('taskwire-test-');
guardFolder(dir);
const stopping = new AbortController();
onStopSignal(() => stopping.abort());

const results: (StageResult & { stage: string })[] = [];
let servers: Promise<TestServers> | undefined;
try {
  await runAll();
} catch (error) {
  results.push({ stage: 'setting up', passed: 0, failed: [errorText(error)] });
} finally {
  await servers?.then((started) => started.stop()).catch(() => undefined);
  // after an interrupted test, parts of its suite may still be writing while their guard ends them
  rmSync(dir, { recursive: true, force: true, maxRetries: 12, retryDelay: 100 });
  releaseFolder(dir);
}
report();

async function runAll(): Promise<void> {
  const planned = (process.env['TASKWIRE_TEST_STAGES'] === 'clients' ? clientStages : stages)
    .map((stage) => ({ stage, files: filesOf(stage, root, filters) }))
    .filter((o) => o.files.length > 0);
  if (planned.length === 0)
    throw new Error(`No test file${filters.length > 0 ? ` has ${filters.join(' or ')} in its path` : ''}.`);
  if (planned.some(({ stage }) => stage.needs !== 'nothing')) await installPrograms(say);
  if (planned.some(({ files }) => files.some(needsBrowser))) await installBrowser(say);
  if (planned.some(({ files }) => files.some(needsPooler))) await installPooler(say);
  if (planned.some(({ stage }) => stage.needs === 'servers')) {
    say('PostgreSQL and RabbitMQ are starting');
    servers = startTestServers(dir);
    // awaited only where they are first needed; until then their failure must not be an unhandled rejection
    servers.then((o) => say(`PostgreSQL and RabbitMQ ${o.rabbitVersion} are ready`)).catch(() => undefined);
  }
  for (const { stage, files } of planned) {
    if (stopping.signal.aborted) throw new Error('interrupted');
    const env = stage.needs === 'servers' ? ((await servers)?.env ?? {}) : {};
    say(`${stage.name}: ${files.length} ${files.length === 1 ? 'file' : 'files'}`);
    const result = await runStage(stage, files, { root, dir, env, mochaArgs, signal: stopping.signal });
    results.push({ stage: stage.name, ...result });
  }
}

function report(): void {
  const passed = results.reduce((sum, result) => sum + result.passed, 0);
  const failures = results.flatMap(({ stage, failed }) => failed.map((title) => `  ${stage}: ${title}`));
  for (const { stage, passed: ok, failed } of results) say(`${stage}: ${ok} passed, ${failed.length} failed`);
  if (failures.length > 0) console.log(`\nFailed:\n${failures.join('\n')}\n`);
  process.exitCode = failures.length > 0 || passed === 0 ? 1 : 0;
  console.log(`${passed} passed, ${failures.length} failed`);
}

// options that narrow mocha's run; everything else is part of a path
function readArguments(args: string[]): { filters: string[]; mochaArgs: string[] } {
  const narrowing = new Set(['--grep', '-g', '--fgrep', '-f']);
  const paths: string[] = [];
  const passed: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (narrowing.has(arg)) passed.push(arg, args[++i] ?? '');
    else if (arg.startsWith('-')) passed.push(arg);
    else paths.push(arg);
  }
  return { filters: paths, mochaArgs: passed };
}
