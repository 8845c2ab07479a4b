// npm run chaos -- [--minutes 2] [--seed text] [--replicas 1|2] [--traffic all|tasks] [--bug name]… [--keep] [--replay history] [--check history]
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errorText } from '@taskwire/errors';
import { reapFolderIfOrphaned, releaseFolder } from '@taskwire/process-supervisor';
import { timedSay } from '../../infra/local/console.ts';
import { addJobClient } from '../../infra/local/job-client.ts';
import { installPrograms } from '../../infra/local/install-programs.ts';
import { onStopSignal } from '../../infra/local/stop-signal.ts';
import { readArguments, usage, type Arguments } from './arguments.ts';
import { bugs } from './bugs.ts';
import { check } from './check/check.ts';
import type { Crash, Line } from './evidence.ts';
import { injectPlan } from './faults/inject-plan.ts';
import { createHistory, evidenceOf, only, readHistory } from './history.ts';
import { createRandom } from './random.ts';
import { report } from './report.ts';
import { run } from './run.ts';
import { planFaults, type PlannedFault } from './schedule.ts';
import { startUnderTest } from './suite/under-test.ts';
import { planWorkerFaults } from './worker-faults.ts';
import { admin } from './workload/actors.ts';
import { startFleet } from './workload/jobs/fleet.ts';
import { jobQueue } from './workload/jobs/names.ts';

/** Twelve people send about 60 requests a second: enough for every fault to affect some requests in flight. */
const paces = {
  all: { people: 12, minPauseMs: 20, maxPauseMs: 280 },
  tasks: { people: 24, minPauseMs: 20, maxPauseMs: 180 },
};

/** A quiet machine serves ten times as many requests of the workload. */
const leastPerMinute = 60;

const root = fileURLToPath(new URL('../../', import.meta.url));
const say = timedSay();
const stopping = new AbortController();
onStopSignal((reason) => stopping.abort(new Error(reason)));

const wanted = readArguments(process.argv.slice(2));
if (wanted instanceof Error) {
  console.error(`${wanted.message}\n\n${usage}`);
  process.exit(2);
}
try {
  process.exitCode = await main(wanted);
} catch (error) {
  console.error(stopping.signal.aborted ? `interrupted (${errorText(stopping.signal.reason)})` : errorText(error));
  process.exitCode = 2;
}
// a connection that a fault left half-open would keep the process running
process.exit();

/** Returns the exit code: 0 for no violations, 1 for some, 2 for a run without enough traffic to find any. */
async function main(o: Arguments): Promise<number> {
  if (o.check !== undefined) return conclude(readHistory(o.check), o.check);
  const replayed = o.replay === undefined ? undefined : readHistory(o.replay);
  const first = replayed === undefined ? undefined : only(replayed, 'run')[0];
  const { seed, minutes, replicas, traffic = o.traffic } = first ?? o;
  await installPrograms(say);

  const historyDir = join(root, '.local/chaos');
  mkdirSync(historyDir, { recursive: true });
  const bugPart = o.planted.length > 1 ? `${o.planted.length}-bugs` : o.planted[0];
  const name = [seed, bugPart, replayed && 'replay'].filter((part) => part !== undefined).join('-');
  const history = createHistory(join(historyDir, `${name}.jsonl`));
  const bug = o.planted.join() || null;
  history.add({ line: 'run', seed, minutes, replicas, traffic, bug, startedAt: new Date().toISOString() });
  const durationMs = minutes * 60_000;
  const plan = replayed === undefined ? planned(seed, durationMs, replicas) : only(replayed, 'plan');
  for (const { at, fault } of plan) history.add({ line: 'plan', at, fault });
  say(`seed ${seed}, ${plan.length} faults in ${minutes} minutes${describePlanted(o)}`);

  const dir = mkdtempSync(join(tmpdir(), 'taskwire-chaos-'));
  chmodSync(dir, 0o711); // root runs PostgreSQL as another user, who must be able to traverse the folder
  if (!o.keep) reapFolderIfOrphaned(dir);
  try {
    let epoch = performance.now();
    const now = () => performance.now() - epoch;
    const onCrash = (crash: Crash) => history.add({ line: 'crash', at: now(), crash });
    const { underTest, known } = await startUnderTest({
      ...{ dir, say, signal: stopping.signal, planted: o.planted, replicas },
      onEvent: (event) => history.add({ line: 'event', at: now(), event }),
      onCrash,
    });
    try {
      say('the suite is up; traffic and faults begin');
      const common = { underTest, seed, history, now, say, signal: stopping.signal };
      const client = await addJobClient(underTest.suite, { id: 'chaos-jobs', queue: jobQueue });
      epoch = performance.now();
      const endsAt = Date.now() + durationMs;
      await run({
        ...common,
        startFleet: async (ending) =>
          await startFleet({
            ...{ url: underTest.suite.url, client, admin: known.users.get(admin)!, endsAt, ending },
            ...{ dir, planted: o.planted },
            random: createRandom(`${seed}/jobs`),
            onJob: (act) => history.add({ line: 'job', act }),
            onSchedule: (act) => history.add({ line: 'schedule', act }),
            onCrash,
          }),
        ...{
          known,
          pace: paces[traffic],
          replayed,
          requests: traffic === 'tasks' ? 'mostly about tasks' : 'all requests',
          users: 'sometimes impatient',
          journeys: 1_000,
          keepsCopy: true,
        },
        time: AbortSignal.timeout(durationMs),
        disturb: injectPlan({ ...common, plan }),
      });
    } finally {
      await history.close();
      await underTest.stop();
    }
    const exitCode = conclude(history.lines, history.file);
    if (exitCode !== 0) keepLogs(dir, join(historyDir, `${name}-logs`));
    return exitCode;
  } finally {
    if (o.keep) say(`the suite's data and logs are in ${dir}`);
    else {
      rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
      releaseFolder(dir);
    }
  }
}

/** The faults of a run in the order of their times. */
function planned(seed: string, durationMs: number, replicas: 1 | 2): PlannedFault[] {
  const faults = planFaults(createRandom(`${seed}/faults`), durationMs, replicas);
  return [...faults, ...planWorkerFaults(createRandom(`${seed}/workers`), durationMs)].sort((a, b) => a.at - b.at);
}

function describePlanted({ planted }: Arguments): string {
  return planted.map((name) => `, with a bug: ${bugs[name].what}`).join('');
}

/** Keeps the files needed to investigate a violation. */
function keepLogs(dir: string, to: string): void {
  rmSync(to, { recursive: true, force: true });
  cpSync(join(dir, 'logs'), to, { recursive: true });
  console.log(`logs         ${to}`);
}

function conclude(lines: Parameters<typeof evidenceOf>[0], file: string): number {
  const evidence = evidenceOf(lines);
  const violations = check(evidence);
  const served = evidence.operations.filter(({ outcome }) => outcome === 'acknowledged').length;
  console.log(`\n${report(lines, evidence, violations)}\n`);
  const [first] = only(lines, 'run');
  console.log(`seed         ${first?.seed} (${commandOf(first)})`);
  console.log(`history      ${file} (npm run chaos -- --replay ${file})`);
  if (violations.length > 0) return 1;
  if (served >= (first?.minutes ?? 0) * leastPerMinute) return 0;
  console.log(`only ${served} requests were acknowledged, which is too few to show anything: was the machine busy?`);
  return 2;
}

function commandOf(run: Extract<Line, { line: 'run' }> | undefined): string {
  const bug = (run?.bug?.split(',') ?? []).map((name) => ` --bug ${name}`).join('');
  return `npm run chaos -- --minutes ${run?.minutes} --seed ${run?.seed} --replicas ${run?.replicas} --traffic ${run?.traffic ?? 'all'}${bug}`;
}
