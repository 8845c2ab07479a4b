import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeExit, inheritedEnv } from '@taskwire/process-supervisor';
import type { Stage } from './stages.ts';

export type TestTime = { title: string; ms: number };

/** `slowest`: up to ten, the slowest first. `durations`: milliseconds by the absolute path of a file. */
export type StageResult = {
  passed: number;
  failed: string[];
  slowest: TestTime[];
  durations: Readonly<Record<string, number>>;
};

// mocha ends by itself once nothing is left to do; a test that leaves a timer or a connection behind would keep it running indefinitely
const leakTimeoutMs = 15_000;

const mocha = createRequire(import.meta.url).resolve('mocha/bin/mocha.js');
const reporter = fileURLToPath(new URL('./reporter.ts', import.meta.url));

/**
 * Runs the files in mocha. Never rejects: if mocha crashes, hangs or runs no test, that is a named failure. With `isBeside`, the output appears when
 * the stage has ended, not mixed with the output of another lane.
 */
export async function runStage(
  stage: Stage,
  files: string[],
  o: {
    root: string;
    dir: string;
    env: Record<string, string>;
    mochaArgs: string[];
    signal: AbortSignal;
    isBeside: boolean;
  },
): Promise<StageResult> {
  const resultFile = join(o.dir, `${stage.name}.json`);
  rmSync(resultFile, { force: true });
  const args = [mocha, '--reporter', reporter, ...stage.mochaArgs, ...o.mochaArgs, ...files];
  const child = spawn(process.execPath, args, {
    cwd: o.root,
    stdio: o.isBeside ? ['ignore', 'pipe', 'pipe'] : 'inherit',
    env: {
      ...(o.isBeside && process.stdout.isTTY ? { FORCE_COLOR: '1' } : {}),
      ...inheritedEnv(),
      // the CI's own variables are used by pact and mocha's colours, and contain nothing that a test may depend on; a test that starts its own
      // RabbitMQ starts the version chosen for all
      ...pick(process.env, [
        'CI',
        'FORCE_COLOR',
        'NO_COLOR',
        'TERM',
        'PACT_BROKER_BASE_URL',
        'PACT_BROKER_TOKEN',
        'TASKWIRE_RABBITMQ_PROGRAMS',
        'TASKWIRE_TEST_DRILLS',
        'TASKWIRE_TEST_SEED',
        // measuring coverage
        'NODE_V8_COVERAGE',
        'NODE_DISABLE_COMPILE_CACHE',
      ]),
      ...o.env,
      TASKWIRE_TEST_DIR: o.dir,
      TASKWIRE_TEST_RESULT: resultFile,
    },
  });
  const output: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => output.push(chunk));
  const kill = () => child.kill('SIGKILL');
  o.signal.addEventListener('abort', kill);
  let fault: string | undefined;
  let summed = 0;
  const began = performance.now();
  const watch = setInterval(() => {
    summed ||= resultOf(resultFile) ? performance.now() : 0;
    if (summed > 0 && performance.now() - summed > leakTimeoutMs) fault = 'did not end after its last test';
    if (performance.now() - began > stage.timeoutMinutes * 60_000)
      fault = `took longer than ${stage.timeoutMinutes} minutes`;
    if (fault !== undefined) kill();
  }, 500);
  const end = await new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
    child.once(o.isBeside ? 'close' : 'exit', (code: number | null, signal: NodeJS.Signals | null) =>
      resolve({ code, signal }),
    ),
  );
  clearInterval(watch);
  o.signal.removeEventListener('abort', kill);
  process.stdout.write(Buffer.concat(output));
  const result: StageResult & { complete?: boolean } = resultOf(resultFile) ?? {
    passed: 0,
    failed: [],
    slowest: [],
    durations: {},
  };
  // mocha's exit code is the number of failures
  if (end.code !== 0 && result.failed.length === 0) fault ??= `ended ${describeExit(end)}`;
  if (result.complete === false) fault ??= 'ended early, because one of its processes crashed (see above)';
  if (fault === undefined && result.passed + result.failed.length === 0) fault = 'ran no test';
  return {
    passed: result.passed,
    failed: fault === undefined ? result.failed : [...result.failed, `the stage ${fault}`],
    slowest: result.slowest,
    durations: result.durations,
  };
}

function resultOf(file: string): (StageResult & { complete: boolean }) | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as StageResult & { complete: boolean };
  } catch {
    return undefined;
  }
}

function pick(env: NodeJS.ProcessEnv, names: string[]): NodeJS.ProcessEnv {
  return Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}
