import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { ScheduleAct } from '../../job-evidence.ts';
import type { Random } from '../../random.ts';
import type { Calls } from './calls.ts';

/** Enough schedules for an occurrence every five seconds: a single one runs at most once a minute. */
const schedules = 12;
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

/** Creates schedules with an occurrence each minute, triggers and backfills them, and pauses and resumes some, until `ending`. */
export async function useSchedules({ admin, random, record, endsAt, ending }: Options): Promise<void> {
  const ids: string[] = [];
  const once = () => ({ headers: { 'idempotency-key': randomUUID() } });

  async function create(number: number): Promise<void> {
    const phaseMs = Math.floor((number * intervalMs) / schedules);
    const first = Math.floor((Date.now() - pastMs - phaseMs) / 1_000) * 1_000;
    const name = `s${number}`;
    const [startsAt, lastAt] = [new Date(first).toISOString(), new Date(endsAt).toISOString()];
    const body = {
      ...{ kind: 'every', expression: 'PT1M', starts_at: startsAt, ends_at: lastAt },
      overlap: overlaps[number % overlaps.length],
      catch_up: catchUps[number % catchUps.length],
      target: {
        ...{ kind: 'task', title: name },
        ...(number % 3 === 0 && { assign: 'random' }),
        ...(number % 4 === 0 && { due_in: 'PT20S' }),
      },
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
    record({ kind: 'create', name, outcome, id, startsAt, endsAt: lastAt });
    if (id === null) return;
    ids.push(id);
    // so that the first occurrence of the rule overlaps with it, even in a run of one minute
    if (body.overlap === 'skip') await trigger(id);
  }

  async function trigger(scheduleId: string): Promise<void> {
    const { outcome, body } = await admin(`/api/v1/schedules/${scheduleId}/trigger`, {}, once());
    const nominalAt = (body['nominal_at'] as string | undefined) ?? null;
    const taskId = (body['task_id'] as string | undefined) ?? null;
    record({ kind: 'trigger', scheduleId, outcome, nominalAt, taskId });
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
