import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeEnd, inheritedEnv } from '@taskwire/process-supervisor';
import type { Stage } from './stages.ts';

export type StageResult = { passed: number; failed: string[] };

// mocha ends by itself once nothing is left to do; a test that leaves a timer or a connection behind would keep it running indefinitely
const leakTimeoutMs = 15_000;
// the longest stage takes 8 minutes on two idle cores
const stageTimeoutMs = 15 * 60_000;

const mocha = createRequire(import.meta.url).resolve('mocha/bin/mocha.js');
const reporter = fileURLToPath(new URL('./reporter.ts', import.meta.url));

/** Runs the files in mocha. Never rejects: if mocha crashes, hangs or runs no test, that is a named failure. */
export async function runStage(
  stage: Stage,
  files: string[],
  o: { root: string; dir: string; env: Record<string, string>; mochaArgs: string[]; signal: AbortSignal },
): Promise<StageResult> {
  const resultFile = join(o.dir, 'stage.json');
  rmSync(resultFile, { force: true });
  const args = [mocha, '--reporter', reporter, ...stage.mochaArgs, ...o.mochaArgs, ...files];
  const child = spawn(process.execPath, args, {
    cwd: o.root,
    stdio: 'inherit',
    env: {
      ...inheritedEnv(),
      // the CI's own variables are used by pact and mocha's colours, and contain nothing on which a test may depend; a test that starts its own
      // RabbitMQ starts the version chosen for all
      ...pick(process.env, [
        'CI',
        'FORCE_COLOR',
        'NO_COLOR',
        'TERM',
        'PACT_BROKER_BASE_URL',
        'PACT_BROKER_TOKEN',
        'TASKWIRE_RABBITMQ_PROGRAMS',
      ]),
      ...o.env,
      TASKWIRE_TEST_DIR: o.dir,
      TASKWIRE_TEST_RESULT: resultFile,
    },
  });
  const kill = () => child.kill('SIGKILL');
  o.signal.addEventListener('abort', kill);
  let fault: string | undefined;
  let summed = 0;
  const began = performance.now();
  const watch = setInterval(() => {
    summed ||= resultOf(resultFile) ? performance.now() : 0;
    if (summed > 0 && performance.now() - summed > leakTimeoutMs) fault = 'did not end after its last test';
    if (performance.now() - began > stageTimeoutMs) fault = `took longer than ${stageTimeoutMs / 60_000} minutes`;
    if (fault !== undefined) kill();
  }, 500);
  const end = await new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
    child.once('exit', (code, signal) => resolve({ code, signal })),
  );
  clearInterval(watch);
  o.signal.removeEventListener('abort', kill);
  const result: StageResult & { complete?: boolean } = resultOf(resultFile) ?? { passed: 0, failed: [] };
  // mocha's exit code is the number of failures
  if (end.code !== 0 && result.failed.length === 0) fault ??= `ended ${describeEnd(end)}`;
  if (result.complete === false) fault ??= 'ended early, because one of its processes crashed (see above)';
  if (fault === undefined && result.passed + result.failed.length === 0) fault = 'ran no test';
  const { passed, failed } = result;
  return { passed, failed: fault === undefined ? failed : [...failed, `the stage ${fault}`] };
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
