import { setTimeout as delay } from 'node:timers/promises';
import { check } from './check/check.ts';
import type { Violation } from './check/violation.ts';
import type { Evidence, Line } from './evidence.ts';
import { createInject } from './faults/inject.ts';
import { evidenceOf, only, type History } from './history.ts';
import { readDatabases } from './observe/databases.ts';
import { openMailBox } from './observe/mail-box.ts';
import { readPublicApi } from './observe/public-api.ts';
import { recoveredAfter, watchReadiness } from './observe/readiness.ts';
import { serviceNames } from '../../infra/local/secrets.ts';
import { createRandom } from './random.ts';
import { describeFault, type PlannedFault } from './schedule.ts';
import { quiesce } from './quiesce.ts';
import { createOperator } from './suite/operator.ts';
import type { SuiteUnderTest } from './suite/under-test.ts';
import { driveTraffic, replayTraffic, type Drive } from './workload/drive.ts';
import { createGenerator } from './workload/generate.ts';
import type { KnownState } from './workload/actors.ts';

export type RunOptions = {
  underTest: SuiteUnderTest;
  known: KnownState;
  seed: string;
  durationMs: number;
  plan: readonly PlannedFault[];
  history: History;
  /** The lines of another run, whose requests are repeated. */
  replayed: readonly Line[] | undefined;
  /** Milliseconds since the start of the traffic; negative before. */
  now: () => number;
  say: (text: string) => void;
  signal: AbortSignal;
};

/** A state that does not satisfy a rule yet may still do so: a violation counts only if it persists after this many further checks. */
const furtherLooks = 4;
const lookAgainMs = 3_000;
const progressMs = 10_000;

/** Drives traffic and faults, waits until the suite is quiescent, and checks the result. */
export async function run(o: RunOptions): Promise<{ evidence: Evidence; violations: Violation[] }> {
  const { underTest, history, say } = o;
  const operator = createOperator(underTest.suite.amqpUrl('operator'), o.signal);
  const readiness = watchReadiness(serviceNames.flatMap(underTest.replicas), o.now);
  const mailBox = openMailBox(underTest.suite.mailPageUrl, (mail) => history.add({ line: 'mail', mail }));
  try {
    await breakAndUse({ ...o, operator });
    say('the traffic has ended; waiting until the suite is quiescent');
    const quiescence = await quiesce({ underTest, operator, notReady: readiness.missing, say });
    history.add({ line: 'quiescent', ...quiescence });
    for (const recovery of recoveries(history.lines, readiness.outages())) history.add(recovery);
    await underTest.recorder.caughtUp(AbortSignal.timeout(30_000));
    for (let looks = 0; ; looks++) {
      await mailBox.collect();
      const [stored, queues] = [await readDatabases(underTest), await operator.queueLengths()];
      const world = { ...stored, queues, ...(await readPublicApi(underTest.suite.url, o.known)) };
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
    await readiness.stop();
    await mailBox.stop();
  }
}

/** Resolves when the time is over and every fault is repaired. */
async function breakAndUse(o: RunOptions & { operator: ReturnType<typeof createOperator> }): Promise<void> {
  const { underTest, operator, history, now, say } = o;
  const time = AbortSignal.timeout(o.durationMs);
  const ending = AbortSignal.any([time, o.signal]);
  const counts = { acknowledged: 0, refused: 0, unknown: 0 };
  const drive: Drive = {
    caller: { url: underTest.suite.url, known: o.known, now, ending },
    onOperation(operation) {
      counts[operation.outcome] += 1;
      history.add({ line: 'operation', operation });
    },
  };
  const progress = setInterval(() => {
    say(`${counts.acknowledged} acknowledged, ${counts.refused} refused, ${counts.unknown} unknown`);
  }, progressMs);
  const inject = createInject({
    ...{ underTest, operator, ending },
    random: createRandom(`${o.seed}/injections`),
    onInjection: (injection) => history.add({ line: 'injection', at: now(), injection }),
    onTakeover: (takeover) => history.add({ line: 'takeover', at: now(), takeover }),
    signal: o.signal,
  });

  async function breakOne({ at, fault }: PlannedFault): Promise<void> {
    await delay(Math.max(0, at - now()), undefined, { signal: ending });
    say(`✂ ${describeFault(fault)}`);
    const began = now();
    const injected = await inject(fault);
    history.add({ line: 'fault', began, ended: now(), fault, ...injected });
  }

  const faults = Promise.all(o.plan.map((planned) => breakOne(planned).catch(() => undefined)));
  const random = createRandom(`${o.seed}/traffic`);
  try {
    if (o.replayed === undefined) await driveTraffic(drive, createGenerator(random, o.known), random.fork('pauses'));
    else await replayTraffic(drive, recordedRequests(o.replayed));
  } finally {
    clearInterval(progress);
  }
  await faults;
  o.signal.throwIfAborted();
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
