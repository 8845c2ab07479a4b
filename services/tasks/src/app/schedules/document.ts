import { jsonText, scheduleSchemas } from '@taskwire/contracts';
import type { z } from 'zod';
import { isoOf } from '../../domain/schedules/given-rule.ts';
import type { Occurrence } from '../../domain/schedules/rule.ts';
import type { Schedule, Target } from '../../domain/schedules/schedule.ts';
import { localTime } from '../../domain/schedules/zone.ts';
import type { Document } from '../ports.ts';
import type { StoredOccurrence, StoredSchedule } from './ports.ts';

export type ScheduleSchema = typeof scheduleSchemas.schedule;
type ScheduleJson = z.input<ScheduleSchema>;
export type OccurrenceJson = z.input<typeof scheduleSchemas.occurrence>;

/** A schedule as the API returns it. */
export function scheduleJson(schedule: StoredSchedule): ScheduleJson {
  return {
    id: schedule.id,
    kind: schedule.kind,
    expression: schedule.expression,
    time_zone: schedule.timeZone,
    starts_at: isoOrNull(schedule.startsAt),
    ends_at: isoOrNull(schedule.endsAt),
    dst_gap: schedule.dstGap,
    target: targetJson(schedule.target),
    catch_up: schedule.catchUp,
    overlap: schedule.overlap,
    regenerate: schedule.regenerate,
    jitter: `PT${schedule.jitterSeconds}S`,
    pause_after_failures: schedule.pauseAfterFailures,
    paused: schedule.pausedAt !== null,
    pause_reason: schedule.pauseReason,
    next_at: isoOrNull(schedule.nextAt),
    revision: schedule.revision,
    creator_id: schedule.creatorId,
    version: schedule.version,
    created_at: schedule.createdAt,
    updated_at: schedule.updatedAt,
  };
}

function targetJson(target: Target): ScheduleJson['target'] {
  return target.kind === 'job' ? target : { ...target, labels: [...target.labels] };
}

export function scheduleDocument(schedule: StoredSchedule): Document<ScheduleSchema> {
  return { text: jsonText(scheduleSchemas.schedule, scheduleJson(schedule)), etag: schedule.version };
}

/** A decided occurrence. */
export function decidedJson(row: StoredOccurrence, { timeZone }: Schedule): OccurrenceJson {
  const { at, cause, state, reason, taskId, jobId, revision, decidedAt } = row;
  const common = { nominal_at: isoOf(at), local_time: localTime(at, timeZone) };
  return { ...common, state, reason, cause, task_id: taskId, job_id: jobId, revision, decided_at: decidedAt };
}

/** A future occurrence of the rule. */
export function plannedJson({ at, skipped }: Occurrence, { timeZone, revision }: Schedule): OccurrenceJson {
  const common = {
    nominal_at: isoOf(at),
    local_time: localTime(at, timeZone),
    cause: 'rule',
    task_id: null,
    job_id: null,
  };
  return { ...common, state: skipped === null ? 'planned' : 'skipped', reason: skipped, revision, decided_at: null };
}

function isoOrNull(at: number | null): string | null {
  return at === null ? null : isoOf(at);
}
