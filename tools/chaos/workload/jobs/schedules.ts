import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { ScheduleAct } from '../../job-evidence.ts';
import type { Random } from '../../random.ts';
import type { Calls } from './calls.ts';
import { jobQueue } from './names.ts';
import { expressionOf, ruleOf } from './rules.ts';

/** A single schedule runs at most once a minute: twelve run one after the other, and six others at full minutes. */
const schedules = 18;
const intervalMs = 60_000;
/** The rules began before the run, so that there is something to backfill. */
const pastMs = 4 * intervalMs;
const minPauseMs = 2_000;
const maxPauseMs = 5_000;

const overlaps = ['allow', 'skip', 'queue_one', 'cancel_running'] as const;
const catchUps = ['all', 'latest', 'skip'] as const;

type Options = {
  admin: Calls;
  random: Random;
  record(act: ScheduleAct): void;
  /** The wall time at which the traffic ends, and with it the rules. */
  endsAt: number;
  ending: AbortSignal;
};

/** Creates schedules of tasks and jobs with an occurrence each minute or two, triggers and backfills them, and pauses and resumes some, until `ending`. */
export async function useSchedules({ admin, random, record, endsAt, ending }: Options): Promise<void> {
  const ids: string[] = [];
  const once = () => ({ headers: { 'idempotency-key': randomUUID() } });

  async function create(number: number): Promise<void> {
    const phaseMs = Math.floor((number * intervalMs) / schedules);
    const first = Math.floor((Date.now() - pastMs - phaseMs) / 1_000) * 1_000;
    const name = `s${number}`;
    const [startsAt, lastAt] = [new Date(first).toISOString(), new Date(endsAt).toISOString()];
    const rule = ruleOf(number, { from: first, until: endsAt });
    // the kinds of rules repeat every six schedules; the round varies what each of them is combined with
    const round = Math.floor(number / 6);
    const target = (number + round) % 2 === 0 ? 'task' : 'job';
    const body = {
      ...{ ...expressionOf(rule), starts_at: startsAt, ends_at: lastAt },
      overlap: overlaps[number % overlaps.length],
      catch_up: catchUps[(number + round) % catchUps.length],
      target: target === 'job' ? jobTarget(name) : taskTarget(name, number),
    };
    // the first rule of a process waits for its thread
    const send = async () => await admin('/api/v1/schedules', body, { ...once(), patienceMs: 10_000 });
    let created = await send();
    // Auth may be unavailable for a token; 422: in a short run, the rule ends before its first instant
    while (created.outcome === 'refused' && created.status !== 422 && !ending.aborted) {
      await delay(500);
      created = await send();
    }
    const { outcome, body: answer } = created;
    const id = (answer['id'] as string | undefined) ?? null;
    record({ kind: 'create', name, outcome, id, startsAt, endsAt: lastAt, target, rule });
    if (id === null) return;
    ids.push(id);
    // so that the first occurrence of the rule overlaps with it, even in a run of one minute
    if (body.overlap === 'skip') await trigger(id);
  }

  async function trigger(scheduleId: string): Promise<void> {
    const { outcome, body } = await admin(`/api/v1/schedules/${scheduleId}/trigger`, {}, once());
    const nominalAt = (body['nominal_at'] as string | undefined) ?? null;
    const runId = (body['task_id'] ?? body['job_id'] ?? null) as string | null;
    record({ kind: 'trigger', scheduleId, outcome, nominalAt, runId });
  }

  async function backfill(scheduleId: string): Promise<void> {
    // a little in the past, because the service's clock may differ
    const to = new Date(Date.now() - 1_000).toISOString();
    const from = new Date(Date.now() - random.between(1, 4) * intervalMs).toISOString();
    const { outcome } = await admin(`/api/v1/schedules/${scheduleId}/backfill`, { from, to }, once());
    record({ kind: 'backfill', scheduleId, outcome, from, to });
  }

  for (let number = 1; number <= schedules && !ending.aborted; number++) await create(number);
  while (!ending.aborted) {
    await delay(random.between(minPauseMs, maxPauseMs), undefined, { signal: ending }).catch(() => undefined);
    if (ids.length === 0 || ending.aborted) continue;
    const [id, drawn] = [random.pick(ids), random.next()];
    if (drawn < 0.55) await trigger(id);
    else if (drawn < 0.75) await backfill(id);
    else {
      await admin(`/api/v1/schedules/${id}/pause`, {}, once());
      await delay(random.between(1_000, 8_000), undefined, { signal: ending }).catch(() => undefined);
      await admin(`/api/v1/schedules/${id}/resume`, {}, once());
    }
  }
}

function taskTarget(title: string, number: number): object {
  return {
    ...{ kind: 'task', title },
    ...(number % 3 === 0 && { assign: 'random' }),
    ...(number % 4 === 0 && { due_in: 'PT20S' }),
  };
}

function jobTarget(name: string): object {
  return { kind: 'job', job: { queue: jobQueue, kind: 'chaos', payload: { name } } };
}
