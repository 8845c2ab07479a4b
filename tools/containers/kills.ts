import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { errorText } from '@taskwire/errors';
import { lastOf } from './engine.ts';
import { judge, type Assigned, type Found, type Wanted } from './judge.ts';
import { containerOf } from './suite-checks.ts';
import type { Suite } from './suite.ts';
import { startWorkload } from './workload.ts';

export type KillOptions = { minutes: number; seed: string; signal: AbortSignal; say: (text: string) => void };

/**
 * The containers that may be killed at any time. The mail catcher is not among them: it keeps e-mails in memory, so a kill would lose some without
 * any fault of the suite.
 */
const victims = ['auth', 'tasks', 'notifications', 'gateway', 'postgres', 'rabbitmq'] as const;

/** After a kill, the broker takes the longest to become healthy: 15 s on two idle cores. Eight times that is enough for a busy machine. */
const recoveryMs = 120_000;
/** The pause between a recovery and the next kill: long enough for all services to be working again. */
const pauseMs = 3_000;
/** Ample: consumers take over within five seconds, and a message whose consumer was killed waits at most a minute for its lease. */
const catchUpMs = 120_000;

/** Returns the container to kill next. The same seed gives the same order. */
export function victimOf(seed: string, n: number): (typeof victims)[number] {
  const digest = createHash('sha256').update(`${seed}/${n}`).digest();
  return victims[digest.readUInt32LE(0) % victims.length] ?? 'auth';
}

/** Kills random containers under a steady workload, and checks the state that the API shows afterwards. @returns the faults */
export async function runKills(suite: Suite, { minutes, seed, signal, say }: KillOptions): Promise<string[]> {
  say(`kills: ${minutes} minutes, seed ${seed}`);
  const workload = await startWorkload(suite.url, `Kills ${seed}`);
  const faults: string[] = [];
  const deadline = performance.now() + minutes * 60_000;
  let kills = 0;
  for (; performance.now() < deadline && !signal.aborted; kills++) {
    const victim = victimOf(seed, kills);
    const recovery = await killAndRecover(suite, victim);
    if (typeof recovery === 'string') faults.push(recovery);
    else say(`killed ${victim}: healthy after ${(recovery.ms / 1000).toFixed(1)} s`);
    await delay(pauseMs, undefined, { signal }).catch(() => undefined);
  }
  const wanted = await workload.finish();
  const finished = performance.now();
  let observed: { found: Found[]; notified: Assigned[] } = { found: [], notified: [] };
  let verdict: string[];
  do {
    // a restarted container has another address, which the gateway resolves within five seconds
    const state = await workload.observe().catch((error: unknown) => errorText(error));
    if (typeof state !== 'string') observed = state;
    verdict = typeof state === 'string' ? [state] : judge({ wanted, ...state });
    if (verdict.length === 0) break;
    await delay(500);
  } while (performance.now() < finished + catchUpMs && !signal.aborted);
  const caughtUpMs = performance.now() - finished;
  faults.push(...summaryOf(verdict), ...(await deadLetterFaults(suite)));
  const acknowledged = wanted.filter((one) => one.acknowledgedId !== undefined).length;
  say(
    `${kills} kills, ${wanted.length} tasks, ${acknowledged} acknowledged, ${observed.notified.length} notifications of assignments`,
  );
  say(`caught up ${(caughtUpMs / 1000).toFixed(1)} s after the last response`);
  faults.push(...tooLittle({ wanted, kills }));
  return faults;
}

/** Returns a fault if a run did too little to count as a pass. */
export function tooLittle({ wanted, kills }: { wanted: readonly Wanted[]; kills: number }): string[] {
  const acknowledged = wanted.filter((one) => one.acknowledgedId !== undefined).length;
  return [
    ...(kills === 0 ? ['nothing was killed'] : []),
    ...(acknowledged < wanted.length / 2 ? [`only ${acknowledged} of ${wanted.length} tasks were acknowledged`] : []),
  ];
}

function summaryOf(verdict: readonly string[]): string[] {
  const shown = 10;
  return verdict.length <= shown ? [...verdict] : [...verdict.slice(0, shown), `and ${verdict.length - shown} more`];
}

/**
 * Kills the first process of a container, as the kernel does when memory runs out. The engine restarts the container, as the restart policy of
 * docker-compose.yml says. `podman kill` and `docker kill` count as a request to stop the container, after which it is not restarted.
 */
async function killAndRecover({ engine }: Suite, victim: string): Promise<{ ms: number } | string> {
  const name = containerOf(victim);
  const before = await engine.podman(['inspect', '--format', '{{.State.StartedAt}}|{{.State.Pid}}', name]);
  const [startedBefore, pid] = before.split('|');
  if (!(Number(pid) > 0)) return `${victim} does not run`;
  process.kill(Number(pid), 'SIGKILL');
  const began = performance.now();
  let state = '';
  while (performance.now() < began + recoveryMs) {
    const inspected = await engine.tryPodman([
      'inspect',
      '--format',
      '{{.State.StartedAt}}|{{.State.Status}}|{{.State.Health.Status}}',
      name,
    ]);
    const [startedAt, status, health] = inspected.stdout.trim().split('|');
    state = `${status} and ${health}`;
    if (startedAt !== startedBefore && status === 'running' && health === 'healthy')
      return { ms: performance.now() - began };
    await delay(250);
  }
  return `${victim} is ${state} ${recoveryMs / 1000} s after it was killed`;
}

/** Returns a fault for each service with dead letters: a kill must not turn any message into a dead letter. */
async function deadLetterFaults({ compose }: Suite): Promise<string[]> {
  const faults: string[] = [];
  for (const service of ['tasks', 'notifications']) {
    const listed = await compose(['exec', '-T', service, 'taskwire', 'dead-letters', 'list', service, '--json']);
    if (listed.code !== 0) {
      faults.push(`The dead letters of ${service} cannot be listed: ${lastOf(listed)}`);
      continue;
    }
    const { data } = JSON.parse(listed.stdout) as { data: unknown[] };
    if (data.length > 0) faults.push(`${service} has ${data.length} dead letters, such as ${JSON.stringify(data[0])}`);
  }
  return faults;
}
