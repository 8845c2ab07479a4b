import { setTimeout as delay } from 'node:timers/promises';
import { isProblem, passwordSession, Taskwire } from '@taskwire/client';
import { errorText } from '@taskwire/errors';
import { Counter, Gauge, type Registry } from 'prom-client';

/** An account of the probe: reserved for it, because its tasks and notifications appear there. */
export type ProbeAccount = { email: string; password: string };

export type Probe = {
  /** Runs the main flow once, and counts the result of each check. Never rejects. */
  run(): Promise<void>;
};

/**
 * The checks of each run, with the limits of the objectives: the API responds, every request takes less than 250 ms, an assignment is readable within
 * 2 s.
 */
const checks = ['available', 'fast', 'fresh'] as const;

const fastSeconds = 0.25;
const freshSeconds = 2;
const pollMs = 100;
/** A request that takes longer counts as failed. */
const requestTimeoutMs = 5_000;

/**
 * The main flow through the gateway: the manager creates a task for the member, who reads the notification; then the task is deleted. While there is
 * little traffic, its results are judged instead of the users' requests. Both accounts stay logged in.
 */
export function createProbe(o: {
  url: string;
  manager: ProbeAccount;
  member: ProbeAccount;
  registry: Registry;
  onFailure(check: string, reason: string): void;
}): Probe {
  const registers = [o.registry];
  const results = new Counter({
    name: 'probe_checks_total',
    help: 'Checks of the main flow, by check (available, fast, fresh) and outcome (passed, failed).',
    labelNames: ['check', 'outcome'],
    registers,
  });
  const readable = new Gauge({
    name: 'probe_readable_seconds',
    help: 'Time from the last assignment of the probe until its notification was readable; NaN if it was not within 2 s.',
    registers,
  });
  for (const check of checks) for (const outcome of ['passed', 'failed']) results.inc({ check, outcome }, 0);
  let people: { manager: Taskwire; member: Taskwire; memberId: string } | undefined;
  let slowest = 0;

  async function logIn({ email, password }: ProbeAccount) {
    const auth = passwordSession();
    const tw = new Taskwire({ baseUrl: o.url, auth, timeoutMs: requestTimeoutMs, maxRetries: 0 });
    return { tw, user: await auth.login(email, password) };
  }

  /** The duration of one request. Log-ins are not timed, because hashing a password is slow on purpose. */
  async function timed<T>(request: () => Promise<T>): Promise<T> {
    const began = performance.now();
    try {
      return await request();
    } finally {
      slowest = Math.max(slowest, (performance.now() - began) / 1000);
    }
  }

  /** Counts the result of a check: passed, unless there is a reason why it failed. */
  function judge(check: (typeof checks)[number], failure: string | undefined): void {
    results.inc({ check, outcome: failure === undefined ? 'passed' : 'failed' });
    if (failure !== undefined) o.onFailure(check, failure);
  }

  async function secondsUntilReadable(member: Taskwire, taskId: string): Promise<number> {
    const began = performance.now();
    const age = () => (performance.now() - began) / 1000;
    while (age() < freshSeconds) {
      const { data } = await timed(async () => await member.notifications.list({ unread: 'true', limit: 5 }));
      if (data.some(({ task_id: id }) => id === taskId)) return age();
      await delay(pollMs);
    }
    return Number.NaN;
  }

  async function flow(): Promise<void> {
    if (people === undefined) {
      const [manager, member] = [await logIn(o.manager), await logIn(o.member)];
      people = { manager: manager.tw, member: member.tw, memberId: member.user.id };
    }
    const { manager, member, memberId } = people;
    const title = 'Probe of the main flow';
    const { id } = await timed(async () => await manager.tasks.create({ title, assignee_id: memberId }));
    try {
      const seconds = await secondsUntilReadable(member, id);
      readable.set(seconds);
      judge('fresh', Number.isNaN(seconds) ? `an assignment was not readable within ${freshSeconds} s` : undefined);
    } finally {
      await timed(async () => await manager.tasks.delete(id, { ifMatch: '*' }));
    }
  }

  return {
    async run() {
      slowest = 0;
      try {
        await flow();
        judge('available', undefined);
        judge('fast', slowest < fastSeconds ? undefined : `a request took ${slowest.toFixed(3)} s`);
      } catch (error) {
        // the gateway's limits concern one caller, not the suite
        if (isProblem(error, 'rate_limited')) return;
        people = undefined;
        judge('available', errorText(error));
      }
    },
  };
}
