import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { problem } from '@taskwire/errors';
import type { Component } from '@taskwire/lifecycle';
import type { RuleEvaluator } from '../app/schedules/rule-evaluator.ts';
import { tooComplex } from '../domain/schedules/rule.ts';
import type { Reply, Request } from './thread.ts';

/** CPU time for one rule, in milliseconds. A usual rule takes less than one. Wall-clock time does not count, because a busy machine is slow. */
const limitMs = 100;
/** The longest wait for a thread that gets no CPU at all, in milliseconds. */
const patienceMs = 5_000;

type Thread = { worker: Worker; cpu: number; reply(): Promise<Reply> };

/**
 * Evaluates rules in one thread, one after the other, so that a rule that takes long delays neither requests nor loops. A rule that exceeds its CPU
 * time ends the thread, and the next rule starts another.
 * @throws Error on a Node.js without Temporal: a polyfill has its own tz database.
 */
export function createRuleEvaluator(): RuleEvaluator & Component {
  if (typeof Temporal !== 'object') throw new Error('this Node.js has no Temporal; schedules need Node.js 26 or later');
  let thread: Promise<Thread> | undefined;
  let last: Promise<unknown> = Promise.resolve();

  async function threadOf(): Promise<Thread> {
    thread ??= startThread();
    try {
      return await thread;
    } catch (error) {
      thread = undefined;
      throw error;
    }
  }

  async function run(request: Request): Promise<Reply> {
    const running = await threadOf();
    const replied = running.reply();
    // the thread ended unexpectedly, which no rule should cause: the next rule starts another
    replied.catch(() => (thread = undefined));
    running.worker.postMessage(request);
    const began = performance.now();
    for (;;) {
      const reply = await Promise.race([replied, delay(limitMs, undefined, { ref: false })]);
      if (reply !== undefined) {
        running.cpu = reply.cpu;
        return reply;
      }
      const { user, system } = await running.worker.cpuUsage();
      const usedMs = (user + system - running.cpu) / 1_000;
      if (usedMs < limitMs && performance.now() - began < patienceMs) continue;
      thread = undefined;
      await running.worker.terminate();
      throw tooComplex();
    }
  }

  return {
    name: 'rule evaluator',
    async occurrences(rule, window) {
      const next = last.then(async () => await run({ rule, window }));
      last = next.catch(() => undefined);
      const reply = await next;
      if (reply.kind === 'occurrences') return reply.occurrences;
      throw problem(reply.code, reply.detail, { errors: reply.errors });
    },
    // the first rule starts the thread, which takes 0.2 s: most processes evaluate no rule for a long time
    start: async () => undefined,
    async stop() {
      await last;
      const stopped = thread;
      thread = undefined;
      await (await stopped)?.worker.terminate();
    },
  };
}

async function startThread(): Promise<Thread> {
  const worker = new Worker(new URL('./thread.ts', import.meta.url), { name: 'rule evaluator' });
  // the thread must not keep a process alive whose start failed
  worker.unref();
  const thread = {
    worker,
    cpu: 0,
    async reply() {
      const { promise, resolve, reject } = Promise.withResolvers<Reply>();
      const onExit = () => reject(new Error('the thread of the rule evaluator ended'));
      worker.once('message', resolve).once('error', reject).once('exit', onExit);
      try {
        return await promise;
      } finally {
        worker.off('message', resolve).off('error', reject).off('exit', onExit);
      }
    },
  };
  thread.cpu = (await thread.reply()).cpu;
  return thread;
}
