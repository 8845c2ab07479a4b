import { setTimeout as delay } from 'node:timers/promises';
import { check } from './check/check.ts';
import type { Violation } from './check/violation.ts';
import type { Evidence, Line } from './evidence.ts';
import { evidenceOf, only, type History } from './history.ts';
import { readDatabases } from './observe/databases.ts';
import { openMailBox } from './observe/mail-box.ts';
import { readPublicApi } from './observe/public-api.ts';
import { keepCopy } from './observe/synced-copy.ts';
import { recoveredAfter, watchReadiness } from './observe/readiness.ts';
import { serviceNames } from '../../infra/local/secrets.ts';
import { createRandom } from './random.ts';
import { quiesce } from './quiesce.ts';
import { createOperator, type Operator } from './suite/operator.ts';
import type { SuiteUnderTest } from './suite/under-test.ts';
import { driveTraffic, replayTraffic, type Drive, type Pace } from './workload/drive.ts';
import { createGenerator, type Generated, type Requests } from './workload/generate.ts';
import { admin, follower, type KnownState } from './workload/actors.ts';
import type { Fleet } from './workload/jobs/fleet.ts';

export type RunOptions = {
  underTest: SuiteUnderTest;
  known: KnownState;
  seed: string;
  pace: Pace;
  requests: Requests;
  /** Impatient users abandon some requests, whose outcome stays unknown. Patient users repeat every request that got no response. */
  users: 'patient' | 'sometimes impatient';
  /** Starts the programs that use jobs and schedules, and users' due dates; undefined for releases without them. `ending` ends their traffic. */
  startFleet: ((ending: AbortSignal) => Promise<Fleet>) | undefined;
  /** The number of random tasks whose journeys are checked; 0 for releases without journeys. */
  journeys: number;
  /** Whether copies of the tasks follow the sync feed; false for releases without it. */
  keepsCopy: boolean;
  /** Ends the traffic. */
  time: AbortSignal;
  /** Disturbs the suite during the traffic. When it resolves, all faults have been repaired. */
  disturb(o: { operator: Operator; ending: AbortSignal; fleet: Fleet | undefined }): Promise<void>;
  history: History;
  /** The lines of another run, whose requests are repeated. */
  replayed: readonly Line[] | undefined;
  /** Milliseconds since the start of the traffic; negative before that. */
  now: () => number;
  say: (text: string) => void;
  signal: AbortSignal;
};

/** A state that does not satisfy a rule yet may still converge: a violation counts only if it persists after this number of further checks. */
const furtherLooks = 4;
const lookAgainMs = 3_000;
const progressMs = 10_000;

/** About as long as users wait, and short enough that a run notices a link that drops traffic. */
const patienceMs = 4_000;
/** Without faults, only a busy machine makes a request take long. The gateway itself waits for 30 s. */
const longPatienceMs = 30_000;

/** Drives traffic and faults, waits until the suite is quiescent, and checks the result. */
export async function run(o: RunOptions): Promise<{ evidence: Evidence; violations: Violation[] }> {
  const { underTest, history, say } = o;
  const operator = createOperator(underTest.suite.amqpUrl('operator'), o.signal);
  const readiness = watchReadiness(serviceNames.flatMap(underTest.replicas), o.now);
  const mailBox = openMailBox(underTest.suite.mailPageUrl, (mail) => history.add({ line: 'mail', mail }));
  const ending = AbortSignal.any([o.time, o.signal]);
  const fleet = await o.startFleet?.(ending);
  const copies = o.keepsCopy ? keepCopies(underTest.suite.url, o.known) : undefined;
  history.add({ line: 'traffic', began: performance.timeOrigin + performance.now() - o.now() });
  try {
    await useAndDisturb({ ...o, operator, ending, fleet });
    await fleet?.sent;
    say('the traffic has ended; waiting until the suite is quiescent');
    const quiescence = await quiesce({ underTest, operator, notReady: readiness.missing, say });
    history.add({ line: 'quiescent', ...quiescence });
    await fleet?.stop();
    for (const recovery of recoveries(history.lines, readiness.outages())) history.add(recovery);
    await underTest.recorder.caughtUp(AbortSignal.timeout(30_000));
    for (let looks = 0; ; looks++) {
      await mailBox.collect();
      const [stored, queues] = [await readDatabases(underTest), await operator.queueLengths()];
      // the same tasks in each look
      const taskIds = stored.tasks.map(({ id }) => id).toSorted();
      const sampled = createRandom(`${o.seed}/journeys`).shuffled(taskIds).slice(0, o.journeys);
      const listed = await readPublicApi(underTest.suite.url, o.known, sampled);
      const world = { ...stored, queues, ...listed, ...(await copies?.read()) };
      const evidence = evidenceOf([...history.lines, { line: 'world', world }]);
      const violations = check(evidence);
      if (violations.length === 0 || looks === furtherLooks) {
        history.add({ line: 'world', world });
        return { evidence, violations };
      }
      say(`${violations.length} violations; checking again, in case work is still in progress`);
      await delay(lookAgainMs);
    }
  } finally {
    await fleet?.stop();
    await copies?.stop();
    await readiness.stop();
    await mailBox.stop();
  }
}

/** Keeps a copy of all tasks, and one for a member, who does not read all of them. */
function keepCopies(url: string, known: KnownState) {
  const all = keepCopy(url, known, { user: admin, ip: '198.51.100.251' });
  const ofMember = keepCopy(url, known, { user: follower, ip: '198.51.100.252' });
  return {
    read: async () => ({ copiedTasks: (await all.read()).tasks, memberCopy: await ofMember.read() }),
    stop: async () => void (await Promise.all([all.stop(), ofMember.stop()])),
  };
}

/** Runs traffic and faults. Resolves when the time has passed and every fault has been repaired. */
async function useAndDisturb(o: RunOptions & Parameters<RunOptions['disturb']>[0]): Promise<void> {
  const { underTest, operator, history, now, say, ending, fleet } = o;
  const counts = { acknowledged: 0, refused: 0, unknown: 0 };
  const drive: Drive = {
    caller: {
      ...{ url: underTest.suite.url, known: o.known, now, ending },
      ...(o.users === 'patient'
        ? { repeats: 'every change', patienceMs: longPatienceMs }
        : { repeats: 'keyed changes', patienceMs }),
    },
    pace: o.pace,
    onOperation(operation) {
      counts[operation.outcome] += 1;
      history.add({ line: 'operation', operation });
    },
  };
  const progress = setInterval(() => {
    say(`${counts.acknowledged} acknowledged, ${counts.refused} refused, ${counts.unknown} unknown`);
  }, progressMs);
  const disturbed = o.disturb({ operator, ending, fleet });
  // awaited below
  disturbed.catch(() => undefined);
  const random = createRandom(`${o.seed}/traffic`);
  const generate = createGenerator(random, o.known, o.requests);
  try {
    if (o.replayed === undefined)
      await driveTraffic(drive, o.users === 'patient' ? patiently(generate) : generate, random.fork('pauses'));
    else await replayTraffic(drive, recordedRequests(o.replayed));
  } finally {
    clearInterval(progress);
  }
  await disturbed;
  o.signal.throwIfAborted();
}

function patiently(generate: (now: number) => Generated): (now: number) => Generated {
  return (now) => {
    const { intent, twist } = generate(now);
    return { intent, twist: twist.kind === 'impatient' ? { kind: 'none' } : twist };
  };
}

function recordedRequests(lines: readonly Line[]) {
  return only(lines, 'operation')
    .map(({ operation: { n, at, intent } }) => ({ n, at, intent }))
    .sort((a, b) => a.at - b.at);
}

function recoveries(lines: readonly Line[], outages: Parameters<typeof recoveredAfter>[2]): Line[] {
  const faults = only(lines, 'fault').toSorted((a, b) => a.began - b.began);
  return faults.map(({ fault, began, ended }, index) => {
    const ms = recoveredAfter({ began, ended }, faults[index + 1]?.began ?? Infinity, outages);
    return { line: 'recovery', fault, ms };
  });
}
