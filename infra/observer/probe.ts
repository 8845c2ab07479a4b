import { setTimeout as delay } from 'node:timers/promises';
import { isProblem, passwordSession, Taskwire } from '@taskwire/client';
import { errorText } from '@taskwire/errors';
import { Counter, Gauge, type Registry } from 'prom-client';

/** An account of the probe: reserved for it, because its tasks and notifications appear there. */
export type ProbeAccount = { email: string; password: string };

export type Probe = {
  /** Runs the main flow once, and counts the result of each check. Never rejects. Requests that get 429 are repeated within `everyMs`. */
  run(): Promise<void>;
};

/**
 * The checks of each run, with the limits of the objectives: the API responds, every request takes less than 250 ms, an assignment is readable within
 * 2 s.
 */
const checks = ['available', 'fast', 'fresh'] as const;
type Check = (typeof checks)[number];

/**
 * `limited`: there is no result, because requests got 429 until the next run was due. Limits concern one caller, so this is no failure of the suite. But
 * then no one watches the suite, so there is an alert about it.
 */
const outcomes = ['passed', 'failed', 'limited'] as const;

const fastSeconds = 0.25;
const freshSeconds = 2;
const pollMs = 100;
/** A request that takes longer counts as failed. */
const requestTimeoutMs = 5_000;
/** The pause after a 429 without Retry-After, in milliseconds. */
const usualWaitMs = 1_000;

/**
 * The main flow through the gateway: the manager creates a task for the member, who reads the notification; then the task is deleted. While there is
 * little traffic, its results are judged instead of the users' requests. Both accounts stay logged in.
 */
export function createProbe(o: {
  url: string;
  manager: ProbeAccount;
  member: ProbeAccount;
  /** The time from one run to the next, in milliseconds. */
  everyMs: number;
  registry: Registry;
  /** Called for each check that has not passed. */
  onFailure(check: string, reason: string): void;
}): Probe {
  const registers = [o.registry];
  const results = new Counter({
    name: 'probe_checks_total',
    help: 'Checks of the main flow, by check (available, fast, fresh) and outcome (passed, failed, limited).',
    labelNames: ['check', 'outcome'],
    registers,
  });
  const readable = new Gauge({
    name: 'probe_readable_seconds',
    help: 'Time from the last assignment of the probe until its notification was readable; NaN if it was not within 2 s.',
    registers,
  });
  for (const check of checks) for (const outcome of outcomes) results.inc({ check, outcome }, 0);
  let people: { manager: Taskwire; member: Taskwire; memberId: string } | undefined;
  let slowest = 0;
  /** When the next run is due, on the monotonic clock. */
  let nextAt = 0;
  let judged = new Set<Check>();
  /** The number of requests of this run that got 429. */
  let limited = 0;

  /** Repeats a request that gets 429 when it may be sent again. @throws the last 429 if the next run is due before that. */
  async function admitted<T>(request: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await request();
      } catch (error) {
        if (!isProblem(error, 'rate_limited')) throw error;
        limited += 1;
        const waitMs = Math.max(error.retryAfterMs ?? usualWaitMs, pollMs);
        if (performance.now() + waitMs >= nextAt) throw error;
        await delay(waitMs);
      }
    }
  }

  async function logIn({ email, password }: ProbeAccount) {
    const auth = passwordSession();
    const tw = new Taskwire({ baseUrl: o.url, auth, timeoutMs: requestTimeoutMs, maxRetries: 0 });
    return { tw, user: await admitted(async () => await auth.login(email, password)) };
  }

  /** The duration of one request. Log-ins are not timed, because hashing a password is slow on purpose. */
  async function timed<T>(request: () => Promise<T>): Promise<T> {
    return await admitted(async () => {
      const began = performance.now();
      try {
        return await request();
      } finally {
        slowest = Math.max(slowest, (performance.now() - began) / 1000);
      }
    });
  }

  function count(check: Check, outcome: (typeof outcomes)[number], reason?: string): void {
    judged.add(check);
    results.inc({ check, outcome });
    if (reason !== undefined) o.onFailure(check, reason);
  }

  /** Counts the result of a check: passed, unless there is a reason why it failed. */
  function judge(check: Check, failure: string | undefined): void {
    count(check, failure === undefined ? 'passed' : 'failed', failure);
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
      const limitedBefore = limited;
      const seconds = await secondsUntilReadable(member, id);
      readable.set(seconds);
      const isLate = !(seconds <= freshSeconds);
      // while the probe waited to send a request again, the assignment may have become readable
      if (isLate && limited > limitedBefore) count('fresh', 'limited', 'requests got 429');
      else judge('fresh', isLate ? `an assignment was not readable within ${freshSeconds} s` : undefined);
    } finally {
      await timed(async () => await manager.tasks.delete(id, { ifMatch: '*' })).catch((error: unknown) => {
        // the failure of an earlier request counts, not that of the clean-up
        if (judged.has('fresh')) throw error;
      });
    }
  }

  return {
    async run() {
      slowest = 0;
      limited = 0;
      judged = new Set();
      nextAt = performance.now() + o.everyMs;
      try {
        await flow();
        judge('available', undefined);
        judge('fast', slowest < fastSeconds ? undefined : `a request took ${slowest.toFixed(3)} s`);
      } catch (error) {
        if (isProblem(error, 'rate_limited')) {
          for (const check of checks) if (!judged.has(check)) count(check, 'limited', errorText(error));
          return;
        }
        people = undefined;
        judge('available', errorText(error));
      }
    },
  };
}
