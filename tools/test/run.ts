// npm test [-- <part of a path> …] [-- --grep <text>] [-- --shard 1/4] [-- --record-durations]
import { rmSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errorText } from '@taskwire/errors';
import { disposableFolder, reapFolderIfOrphaned, releaseFolder } from '@taskwire/process-supervisor';
import { installBrowser, installPooler, installPrograms } from '../../infra/local/install-programs.ts';
import { onStopSignal } from '../../infra/local/stop-signal.ts';
import { runStage, type StageResult } from './run-stage.ts';
import { durationsFile, lanesOfShard, parseShard, readDurations, type Shard } from './shards.ts';
import { startTestServers, type TestServers } from './servers.ts';
import { filesOf, lanesFor, needsBrowser, needsPooler, type Stage } from './stages.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const { filters, mochaArgs, shard, isRecording } = argumentsOrExit();
const began = performance.now();
const say = (text: string) => console.log(`[${((performance.now() - began) / 1000).toFixed(1).padStart(5)} s] ${text}`);

const dir = disposableFolder('taskwire-test-');
reapFolderIfOrphaned(dir);
const stopping = new AbortController();
onStopSignal(() => stopping.abort());

const results: (StageResult & { stage: string })[] = [];
let servers: Promise<TestServers> | undefined;
let isOver = false;
try {
  await runAll();
} catch (error) {
  results.push({ stage: 'setting up', passed: 0, failed: [errorText(error)], slowest: [], durations: {} });
} finally {
  isOver = true;
  await servers?.then((started) => started.stop()).catch(() => undefined);
  // after an interrupted test, processes of its suite may still be writing while the orphan reaper ends them
  rmSync(dir, { recursive: true, force: true, maxRetries: 12, retryDelay: 100 });
  releaseFolder(dir);
}
report();

async function runAll(): Promise<void> {
  const all = lanesFor(process.env['TASKWIRE_TEST_STAGES']).map((lane) =>
    lane.map((stage) => ({ stage, files: filesOf(stage, root, filters) })),
  );
  const plannedLanes = (shard === undefined ? all : lanesOfShard(all, shard, readDurations()))
    .map((lane) => lane.filter((o) => o.files.length > 0))
    .filter((lane) => lane.length > 0);
  const planned = plannedLanes.flat();
  if (planned.length === 0)
    throw new Error(`No test file${filters.length > 0 ? ` has ${filters.join(' or ')} in its path` : ''}.`);
  if (planned.some(({ stage }) => stage.needs !== 'nothing')) await installPrograms(say);
  if (planned.some(({ files }) => files.some(needsBrowser))) await installBrowser(say);
  if (planned.some(({ files }) => files.some(needsPooler))) await installPooler(say);
  if (planned.some(({ stage }) => stage.needs === 'servers')) {
    say('PostgreSQL and RabbitMQ are starting');
    servers = startTestServers(dir);
    // awaited only where they are first needed; until then their failure must not be an unhandled rejection
    servers.then(sayWhenReady).catch(() => undefined);
  }
  // interrupted, it throws before the other lanes begin
  for (const lane of plannedLanes) await runLane(lane.filter(runsAlone), { isBeside: false });
  const ends = await Promise.allSettled(
    plannedLanes
      .map((lane) => lane.filter((one) => !runsAlone(one)))
      .filter((lane) => lane.length > 0)
      .map(async (lane, index) => await runLane(lane, { isBeside: index > 0 })),
  );
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

function runsAlone({ stage }: { stage: Stage }): boolean {
  return stage.runsAlone === true;
}

function sayWhenReady({ rabbit }: TestServers): void {
  say('PostgreSQL is ready');
  rabbit.then(
    (version) => say(`RabbitMQ ${version} is ready`),
    (error: unknown) => {
      // tests without a broker may end before it is ready
      if (isOver) return;
      results.push({ stage: 'RabbitMQ', passed: 0, failed: [errorText(error)], slowest: [], durations: {} });
      stopping.abort();
    },
  );
}

async function runLane(lane: { stage: Stage; files: string[] }[], { isBeside }: { isBeside: boolean }): Promise<void> {
  for (const { stage, files } of lane) {
    const env = stage.needs === 'servers' ? ((await servers)?.env ?? {}) : {};
    if (stopping.signal.aborted) throw new Error('interrupted');
    say(`${stage.name}: ${files.length} ${files.length === 1 ? 'file' : 'files'}`);
    const result = await runStage(stage, files, { root, dir, env, mochaArgs, signal: stopping.signal, isBeside });
    say(`${stage.name}: ${result.passed} passed, ${result.failed.length} failed`);
    results.push({ stage: stage.name, ...result });
  }
}

function report(): void {
  const passed = results.reduce((sum, result) => sum + result.passed, 0);
  const failures = results.flatMap(({ stage, failed }) => failed.map((title) => `  ${stage}: ${title}`));
  for (const { stage, slowest } of results) {
    const lines = slowest
      .filter(({ ms }) => ms >= 1000)
      .map(({ title, ms }) => `  ${(ms / 1000).toFixed(1)} s  ${title}`);
    if (lines.length > 0) console.log(`\nSlowest of ${stage}:\n${lines.join('\n')}`);
  }
  if (isRecording) recordDurations();
  console.log('');
  for (const { stage, passed: ok, failed } of results) say(`${stage}: ${ok} passed, ${failed.length} failed`);
  if (failures.length > 0) console.log(`\nFailed:\n${failures.join('\n')}\n`);
  process.exitCode = failures.length > 0 || passed === 0 ? 1 : 0;
  console.log(`${passed} passed, ${failures.length} failed`);
}

/** Adds the measured durations to those of the files that did not run, for `--shard`. */
function recordDurations(): void {
  const measured = results.flatMap(({ durations }) =>
    Object.entries(durations).map(([file, ms]) => [relative(root, file), Math.round(ms)] as const),
  );
  const merged = { ...readDurations(), ...Object.fromEntries(measured) };
  const sorted = Object.fromEntries(Object.entries(merged).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(durationsFile, `${JSON.stringify(sorted, null, 2)}\n`);
  say(`${measured.length} durations are recorded`);
}

type Arguments = { filters: string[]; mochaArgs: string[]; shard: Shard | undefined; isRecording: boolean };

function argumentsOrExit(): Arguments {
  try {
    return readArguments(process.argv.slice(2));
  } catch (error) {
    console.error(errorText(error));
    process.exit(2);
  }
}

// options that narrow mocha's run; everything else is part of a path
function readArguments(args: string[]): Arguments {
  const narrowing = new Set(['--grep', '-g', '--fgrep', '-f']);
  const result: Arguments = { filters: [], mochaArgs: [], shard: undefined, isRecording: false };
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (narrowing.has(arg)) result.mochaArgs.push(arg, args[++i] ?? '');
    else if (arg.startsWith('--shard=')) result.shard = parseShard(arg.slice('--shard='.length));
    else if (arg === '--shard') result.shard = parseShard(args[++i] ?? '');
    else if (arg === '--record-durations') result.isRecording = true;
    else if (arg.startsWith('-')) result.mochaArgs.push(arg);
    else result.filters.push(arg);
  }
  return result;
}
