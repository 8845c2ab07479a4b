// npm run alerts [-- <part of a fault's title or alert> …]
//
// Fires each alert by the fault that it is for, on a suite of its own with shortened windows, and expects it at a webhook behind Alertmanager, and its end
// after the fault is healed. Exits with 1 if anything is wrong.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { errorText } from '@taskwire/errors';
import { disposableFolder, killAllProcesses, reapFolderIfOrphaned, releaseFolder } from '@taskwire/process-supervisor';
import { installMonitoring, installPrograms } from '../../infra/local/install-programs.ts';
import { onStopSignal } from '../../infra/local/stop-signal.ts';
import { alerts } from '../../infra/observability/alerts.ts';
import { checkRouting, checkRules } from './configuration.ts';
import type { Fault } from './fault.ts';
import { jobFaults } from './faults/jobs.ts';
import { blockedBroker, mailFaults, messageFaults, relayFaults, takenQueue } from './faults/messages.ts';
import { brokerLinkFault, missingTable, slowDatabase } from './faults/objectives.ts';
import { causeFaults, frozenBroker, limitedProbe, monitoringFaults } from './faults/processes.ts';
import { backupFaults, rowFaults } from './faults/rows.ts';
import { holdJobs } from './job-worker.ts';
import { createJudge } from './judge.ts';
import { checkMetrics, checkPanels } from './live-metrics.ts';
import { startWebhook } from './webhook.ts';
import { startWorld } from './world.ts';

const began = performance.now();
const say = (text: string) => console.log(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  ${text}`);
const chosen = process.argv.slice(2);
const isChosen = ({ title, alerts: names }: Fault) =>
  chosen.length === 0 || chosen.some((part) => title.includes(part) || names.some((name) => name.includes(part)));

const stopping = new AbortController();
onStopSignal(() => {
  stopping.abort();
  void killAllProcesses().then(() => process.exit(1));
});
const failures: string[] = [];
const part = async (name: string, work: () => Promise<string | void>): Promise<void> => {
  if (stopping.signal.aborted) return;
  try {
    const note = await work();
    say(`${name}${note ? `: ${note}` : ''}`);
  } catch (error) {
    failures.push(`${name}: ${errorText(error)}`);
    say(`FAILED  ${name}: ${errorText(error)}`);
  }
};

let causesEnd = (): void => undefined;
const causesOver = new Promise<void>((resolve) => (causesEnd = resolve));
const lateEventsFault = brokerLinkFault(causesOver);
const all = [
  lateEventsFault,
  missingTable,
  slowDatabase,
  frozenBroker,
  blockedBroker,
  ...causeFaults,
  ...backupFaults,
  ...rowFaults,
  ...jobFaults,
  ...relayFaults,
  takenQueue,
  ...messageFaults,
  ...mailFaults,
  ...monitoringFaults,
  limitedProbe,
];
const untried = alerts.filter(({ name }) => !all.some((fault) => fault.alerts.includes(name))).map(({ name }) => name);
if (untried.length > 0) failures.push(`no fault fires ${untried.join(', ')}`);

await installPrograms(say);
await installMonitoring(say);
const dir = disposableFolder('taskwire-alerts-');
reapFolderIfOrphaned(dir);
const webhook = await startWebhook();
// promtool needs one processor for twenty seconds; its low priority leaves them to it when the suite waits
const rules =
  chosen.length === 0
    ? part('the rules pass their tests', async () => await checkRules(join(dir, 'rules')))
    : Promise.resolve();
await part('Alertmanager', async () => await checkRouting(join(dir, 'routing'), stopping.signal));

await part('the suite with its monitoring', async () => {
  const world = await startWorld(dir, webhook, stopping.signal);
  try {
    const judge = createJudge(world, webhook, part);
    const [completeJobs] = await Promise.all([holdJobs(world), part('no alert fires', judge.isQuiet)]);
    await part('the metrics are live', async () => await checkMetrics(world));
    await part('the dashboards have data', async () => await checkPanels(world));
    await completeJobs();
    const run = async (faults: readonly Fault[]) =>
      await Promise.all(faults.filter(isChosen).map(async (fault) => await judge.fire(fault)));
    const inTurn = async (faults: readonly Fault[]) => {
      for (const fault of faults.filter(isChosen)) await judge.fire(fault);
    };
    /** Makes other faults, one after the other, once a fault is healed, while the alerts about it end. */
    const followedBy = async (fault: Fault, others: readonly Fault[]) => {
      const { promise: isHealed, resolve } = Promise.withResolvers<void>();
      const end = isChosen(fault) ? judge.fire(fault, resolve) : resolve();
      await isHealed;
      await inTurn(others);
      await end;
    };
    // late events take a minute, and the alert about the slowest burn rate ends three minutes after the last failure: so these come first
    const lateEvents = run([lateEventsFault]);
    await inTurn([missingTable]);
    // RabbitMQ is no cause of slow requests, so it does not inhibit that the alert about them is resolved
    await followedBy(slowDatabase, [frozenBroker, blockedBroker]);
    await inTurn(causeFaults);
    // until then, CauseIsRecent inhibits the alert about late events
    setTimeout(causesEnd, 5_000);
    // Auth publishes an event that Tasks does not take
    const relays = inTurn([...relayFaults, takenQueue]);
    await Promise.all([
      run([...rowFaults, ...jobFaults]),
      inTurn(backupFaults),
      // both services have to consume again
      Promise.all([relays, lateEvents]).then(async () => await run(messageFaults)),
      lateEvents.then(async () => await inTurn(mailFaults)),
    ]);
    await run(monitoringFaults);
    // the last one, because it refuses the requests of every other fault
    await run([limitedProbe]);
    await part('every alert has ended', judge.haveEnded);
  } finally {
    await world.stop();
  }
});
await rules;
await webhook.close();
rmSync(dir, { recursive: true, force: true, maxRetries: 12, retryDelay: 100 });
releaseFolder(dir);
console.log(failures.length === 0 ? `\nEach of ${alerts.length} alerts fires and ends.` : `\n${failures.join('\n')}`);
process.exit(failures.length === 0 && !stopping.signal.aborted ? 0 : 1);
