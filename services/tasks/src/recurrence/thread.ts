import { parentPort } from 'node:worker_threads';
import { Problem, type FieldError, type ProblemCode } from '@taskwire/errors';
import type { Occurrence, Rule, Window } from '../domain/schedules/rule.ts';
import { evaluate } from './evaluate.ts';

export type Request = { rule: Rule; window: Window };

/** The result of a request, and the CPU time that the thread has used since it started, in microseconds. */
export type Reply = { cpu: number } & (
  | { kind: 'occurrences'; occurrences: Occurrence[] }
  | { kind: 'problem'; code: ProblemCode; detail: string; errors: readonly FieldError[] }
);

function cpuMicros(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

function reply({ rule, window }: Request): Reply {
  try {
    return { kind: 'occurrences', occurrences: evaluate(rule, window), cpu: cpuMicros() };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const { code, detail, errors = [] } = error;
    return { kind: 'problem', code, detail, errors, cpu: cpuMicros() };
  }
}

// warm up: the first use of each library and zone takes many times as long as later ones
const warmUp = { timeZone: 'Europe/Berlin', startsAt: 0, endsAt: null, dstGap: 'run_after' } as const;
const year = { after: 0, until: 366 * 86_400_000, limit: 400 };
reply({ rule: { ...warmUp, kind: 'cron', expression: '30 2 1,L * MON#2' }, window: year });
reply({ rule: { ...warmUp, kind: 'rrule', expression: 'FREQ=MONTHLY;BYDAY=-1FR' }, window: year });

parentPort?.on('message', (request: Request) => parentPort?.postMessage(reply(request)));
parentPort?.postMessage({ kind: 'occurrences', occurrences: [], cpu: cpuMicros() } satisfies Reply);
