import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

type Process = { pid: number; parent: number; ticks: number; title: string };

/** The CPU time of one process so far, in milliseconds, and the part of the suite to which it is attributed. */
type Used = { part: string; ms: number };

/**
 * The CPU time that each of these processes and their descendants has used so far, by process id. The time of PostgreSQL's backends is attributed to
 * the database that they serve, and the time of its other processes to `PostgreSQL itself`. Linux only, because it reads `/proc`.
 */
export function readCpuTimes(roots: ReadonlyMap<string, number>): Map<number, Used> {
  const all = allProcesses();
  const times = new Map<number, Used>();
  for (const [name, root] of roots) {
    for (const { pid, title, ticks } of descendants(all, root)) {
      times.set(pid, { part: name === 'postgres' ? databaseOf(title) : name, ms: (ticks * 1000) / ticksPerSecond() });
    }
  }
  return times;
}

/** The CPU time between two readings, by part, in milliseconds. A process that ended in between is not counted. */
export function cpuTimeBetween(
  before: ReadonlyMap<number, Used>,
  after: ReadonlyMap<number, Used>,
): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [pid, { part, ms }] of after) sums.set(part, (sums.get(part) ?? 0) + ms - (before.get(pid)?.ms ?? 0));
  return sums;
}

/** The resident memory of a process, in megabytes. */
export function residentMegabytes(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1]) / 1024;
}

function allProcesses(): Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        // proc_pid_stat(5): the command, in parentheses, may contain spaces; of the fields after it, the second is the parent, and the 12th and 13th
        // are CPU times
        const fields = stat
          .slice(stat.lastIndexOf(')') + 2)
          .split(' ')
          .map(Number);
        const ticks = (fields[11] ?? 0) + (fields[12] ?? 0);
        const title = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return [{ pid: Number(name), parent: fields[1] ?? 0, ticks, title }];
      } catch {
        // it has ended since it was listed
        return [];
      }
    });
}

function descendants(all: readonly Process[], root: number): Process[] {
  const found = all.filter(({ pid }) => pid === root);
  for (const parent of found) found.push(...all.filter((process) => process.parent === parent.pid));
  return found;
}

/** PostgreSQL writes `postgres: <login> <database> <address> <state>` into the title of a backend. */
function databaseOf(title: string): string {
  const database = /^postgres: \S+ taskwire_(\w+) /.exec(title)?.[1];
  return database === undefined ? 'PostgreSQL itself' : `PostgreSQL for ${database}`;
}

let clockTicks: number | undefined;

function ticksPerSecond(): number {
  return (clockTicks ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' })));
}
