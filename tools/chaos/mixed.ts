// npm run mixed -- [--from <release>] [--seed text] [--planted break] [--keep]
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errorText } from '@taskwire/errors';
import { reapFolderIfOrphaned, releaseFolder } from '@taskwire/process-supervisor';
import { timedSay } from '../../infra/local/console.ts';
import { installPrograms } from '../../infra/local/install-programs.ts';
import { onStopSignal } from '../../infra/local/stop-signal.ts';
import { check } from './check/check.ts';
import { createHistory, evidenceOf } from './history.ts';
import { readMixedArguments, mixedUsage, type MixedArguments } from './mixed/arguments.ts';
import { carryOut } from './mixed/carry-out.ts';
import { describeStep, planSteps, type Side } from './mixed/plan.ts';
import { plant, planted as breaks } from './mixed/planted.ts';
import { checkOut, commitOf, git, lastRelease, nextVersion, setVersion } from './mixed/release-worktree.ts';
import { idleSteps, sharedWork } from './mixed/shared-work.ts';
import { createRandom } from './random.ts';
import { report } from './report.ts';
import { run } from './run.ts';
import { startUnderTest, type Replica } from './suite/under-test.ts';

/**
 * About 5 requests a second. On a small machine, twelve processes and their starts take much CPU time, and each change of a task leads to several
 * mails, which must all be sent within the time that the suite has to become quiescent.
 */
const pace = { people: 4, minPauseMs: 300, maxPauseMs: 1_200 };

const root = fileURLToPath(new URL('../../', import.meta.url));
const say = timedSay();
const stopping = new AbortController();
const { signal } = stopping;
onStopSignal((reason) => stopping.abort(new Error(reason)));

const wanted = readMixedArguments(process.argv.slice(2));
if (wanted instanceof Error) {
  console.error(`${wanted.message}\n\n${mixedUsage}`);
  process.exit(2);
}
try {
  process.exitCode = await main(wanted);
} catch (error) {
  console.error(signal.aborted ? `interrupted (${errorText(signal.reason)})` : errorText(error));
  process.exitCode = 2;
}
process.exit();

/** Returns the exit code: 0 for no violations, 1 otherwise. */
async function main({ seed, planted, keep, ...o }: MixedArguments): Promise<number> {
  const from = o.from ?? lastRelease(root);
  const commit = commitOf(root, from);
  const to = nextVersion(root, from);
  // every deliberate break is in Tasks, so the other services are not updated
  const plan = planSteps(createRandom(`${seed}/plan`), planted === undefined ? undefined : ['tasks']);
  console.log(
    `from ${from} (${commit.slice(0, 12)}) to ${to} (${git(root, 'rev-parse', 'HEAD').slice(0, 12)}), seed ${seed}:`,
  );
  for (const [index, step] of plan.entries()) console.log(`${String(index + 1).padStart(4)}. ${describeStep(step)}`);
  if (planted !== undefined) console.log(`with a break: ${breaks[planted].what}`);
  await installPrograms(say);
  const worktree = (name: string, of: string, change: (dir: string) => void) =>
    checkOut(root, { dir: join(root, '.local/mixed', name), commit: of, change, signal });
  const plantIn = (dir: string, side: Side) => plant(dir, { side, name: planted, minVersion: from });
  const old = await worktree('old', commit, (dir) => {
    // the commit from which the release was made still contains the previous version
    setVersion(dir, from);
    plantIn(dir, 'old');
  });
  try {
    const next = await worktree('new', 'HEAD', (dir) => {
      setVersion(dir, to);
      plantIn(dir, 'new');
    });
    try {
      return await mix({ from, to, seed, planted, keep, plan, releases: { old, new: next } });
    } finally {
      if (!keep) next.remove();
    }
  } finally {
    if (!keep) old.remove();
  }
}

type Mix = Omit<MixedArguments, 'from'> & { from: string; to: string } & Pick<
    Parameters<typeof carryOut>[0],
    'plan' | 'releases'
  >;

async function mix({ from, to, seed, planted, keep, plan, releases }: Mix): Promise<number> {
  const historyDir = join(root, '.local/chaos');
  mkdirSync(historyDir, { recursive: true });
  const name = ['mixed', seed, planted].filter((part) => part !== undefined).join('-');
  const history = createHistory(join(historyDir, `${name}.jsonl`));
  history.add({ line: 'mixed', seed, from, to, planted: planted ?? null, startedAt: new Date().toISOString() });
  const dir = mkdtempSync(join(tmpdir(), 'taskwire-mixed-'));
  chmodSync(dir, 0o711); // root runs PostgreSQL as another user, who must be able to traverse the folder
  if (!keep) reapFolderIfOrphaned(dir);
  const sideOf = new Map<Replica['name'], Side>();
  const done = new AbortController();
  try {
    let epoch = performance.now();
    const now = () => performance.now() - epoch;
    const { underTest, known } = await startUnderTest({
      ...{ dir, say, signal, planted: [], replicas: 'two of each role' },
      releaseOf: (process) => releases[sideOf.get(process) ?? 'old'],
      onEvent: (event) => history.add({ line: 'event', at: now(), event }),
      onCrash: (crash) => history.add({ line: 'crash', at: now(), crash }),
    });
    try {
      say(`release ${from} is up; the traffic begins`);
      epoch = performance.now();
      const common = { underTest, history, now, say, signal };
      await run({
        ...common,
        ...{
          known,
          seed,
          pace,
          users: 'patient',
          replayed: undefined,
          startFleet: undefined,
          requests: 'requests of release 0.2.0',
          journeys: 0,
          keepsCopy: false,
        },
        time: done.signal,
        disturb: carryOut({ ...common, dir, plan, releases, sideOf, onDone: () => done.abort() }),
      });
    } finally {
      await history.close();
      await underTest.stop();
    }
    const evidence = evidenceOf(history.lines);
    const violations = [...check(evidence), ...idleSteps(history.lines)];
    const shared = sharedWork(history.lines).map(({ step, events }) => `${String(events).padStart(6)} events  ${step}`);
    console.log(`\n${shared.join('\n')}\n\n${report(history.lines, evidence, violations)}\n`);
    console.log(`seed         ${seed} (npm run mixed -- --from ${from} --seed ${seed})\nhistory      ${history.file}`);
    if (violations.length > 0) cpSync(join(dir, 'logs'), join(historyDir, `${name}-logs`), { recursive: true });
    return violations.length === 0 ? 0 : 1;
  } finally {
    if (keep) say(`the suite's data and logs are in ${dir}`);
    else {
      rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
      releaseFolder(dir);
    }
  }
}
