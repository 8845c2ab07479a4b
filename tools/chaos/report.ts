import type { Violation } from './check/violation.ts';
import { firstOccurrences } from './check/event-order.ts';
import { requestDelays } from './check/journeys.ts';
import type { Evidence, Line, MemberCopy } from './evidence.ts';
import { only } from './history.ts';
import { isProcess } from './worker-faults.ts';
import { describeFault, faultLabel } from './schedule.ts';

const shownOfEachRule = 5;

/** Returns the report of a run as one page of text. */
export function report(lines: readonly Line[], evidence: Evidence, violations: readonly Violation[]): string {
  return [
    table('faults', ['times', 'without effect', 'longest recovery'], faultRows(lines)),
    table('operations', ['acknowledged', 'refused', 'unknown'], operationRows(evidence)),
    figures(lines, evidence),
    violationText(violations),
  ].join('\n\n');
}

function faultRows(lines: readonly Line[]): string[][] {
  const slowest = new Map<string, number>();
  for (const { fault, ms } of only(lines, 'recovery')) {
    slowest.set(faultLabel(fault), Math.max(ms, slowest.get(faultLabel(fault)) ?? 0));
  }
  const byLabel = Map.groupBy(only(lines, 'fault'), ({ fault }) => faultLabel(fault));
  return [...byLabel].sort().map(([label, faults]) => {
    const failed = faults.filter((fault) => fault.failed === true).length;
    return [label, String(faults.length), String(failed), seconds(slowest.get(label) ?? 0)];
  });
}

function operationRows({ operations }: Evidence): string[][] {
  const byKind = Map.groupBy(operations, ({ intent }) => intent.kind.replaceAll('_', ' '));
  const rows = [...byKind].sort().map(([kind, group]) => [kind, ...outcomes(group)]);
  return [...rows, ['all', ...outcomes(operations)]];
}

function outcomes(operations: Evidence['operations']): string[] {
  return (['acknowledged', 'refused', 'unknown'] as const).map((one) =>
    String(operations.filter(({ outcome }) => outcome === one).length),
  );
}

function figures(lines: readonly Line[], evidence: Evidence): string {
  const { events, mails, world } = evidence;
  const slowest = only(lines, 'recovery').toSorted((a, b) => b.ms - a.ms)[0];
  const lags = eventLags(events, world);
  const at = (share: number) => seconds(lags[Math.floor(lags.length * share)] ?? 0);
  const quiescent = only(lines, 'quiescent').at(-1);
  const delays = requestDelays(evidence);
  const atDelay = (share: number) => `${(delays[Math.floor(delays.length * share)] ?? 0).toFixed(1)} ms`;
  return [
    `events       ${firstOccurrences(events).length} published, ${events.length - firstOccurrences(events).length} of them again`,
    `consumed     after ${at(0.5)} (half of them), ${at(0.99)} (99 of 100), ${seconds(lags.at(-1) ?? 0)} (the last)`,
    `notified     ${world.notifications.length} notifications, ${mails.length} mails, ${world.deliveries.filter(({ unknown_outcomes }) => unknown_outcomes > 0).length} deliveries with an unknown outcome`,
    `journeys     ${world.journeys.length} of tasks; a request arrived after ${atDelay(0.5)} (half of them), ${atDelay(0.99)} (99 of 100)`,
    ...(world.memberCopy === undefined ? [] : [copyFigures(world.memberCopy)]),
    jobFigures(evidence),
    `recovery     longest ${slowest ? `${seconds(slowest.ms)}, after: ${describeFault(slowest.fault)}` : 'not measured'}`,
    `takeovers    ${
      only(lines, 'takeover')
        .map(({ takeover: { service, work, ms } }) => `${work} of ${service} after ${seconds(ms)}`)
        .join(', ') || 'none'
    }`,
    `quiescent    ${quiescent ? `after ${seconds(quiescent.tookMs)}` : 'not at all'}`,
  ].join('\n');
}

function jobFigures({ jobActs, world }: Evidence): string {
  const leases = jobActs.filter((act) => act.kind === 'lease');
  const inProcesses = new Set(leases.flatMap(({ worker, fence }) => (isProcess(worker) ? [fence] : [])));
  const attempts = world.jobAttempts.filter(({ fence }) => inProcesses.has(fence));
  const expired = attempts.filter(({ outcome }) => outcome === 'crashed' || outcome === 'undelivered').length;
  const late = jobActs.filter(
    (act) => act.kind === 'settle' && act.outcome === 'lease_lost' && inProcesses.has(act.fence),
  );
  const occurrences = world.occurrences.filter(({ state }) => state === 'ran').length;
  return `jobs         ${world.jobs.length} in ${world.jobAttempts.length} leases; worker processes had ${attempts.length}, of which ${expired} expired, and settled ${late.length} times too late; ${occurrences} occurrences ran`;
}

function copyFigures({ tasks, counts }: MemberCopy): string {
  const { removed, gained, lost } = counts;
  return `copies       a member's has ${tasks.length} tasks, after ${removed} were removed, and projects gained ${gained} times and lost ${lost} times`;
}

/** Milliseconds from each event to its arrival in each inbox, ascending; both times are from the databases' clocks. */
function eventLags(events: Evidence['events'], world: Evidence['world']): number[] {
  const times = new Map(events.map(({ messageId, timestamp }) => [messageId, Date.parse(timestamp)]));
  return world.inbox
    .flatMap(({ message_id, received_at }) => {
      const happened = times.get(message_id);
      return happened === undefined ? [] : [Date.parse(received_at) - happened];
    })
    .sort((a, b) => a - b);
}

function violationText(violations: readonly Violation[]): string {
  if (violations.length === 0) return 'violations   none';
  const byRule = [...Map.groupBy(violations, ({ rule }) => rule)];
  const parts = byRule.map(([rule, found]) => {
    const shown = found.slice(0, shownOfEachRule).map(({ what }) => `  - ${what}`);
    const more = found.length > shownOfEachRule ? [`  … and ${found.length - shownOfEachRule} more`] : [];
    return [`✘ ${rule}: ${found.length}`, ...shown, ...more].join('\n');
  });
  return [`violations   ${violations.length}`, ...parts].join('\n');
}

function table(title: string, heads: string[], rows: string[][]): string {
  const all = [[title, ...heads], ...rows];
  const widths = heads.map((_, column) => Math.max(...all.map((row) => row[column + 1]?.length ?? 0)));
  return all
    .map(([name = '', ...cells]) => name.padEnd(30) + cells.map((cell, i) => cell.padStart(widths[i]! + 3)).join(''))
    .join('\n');
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
