import type { tasksRoutes } from '@taskwire/contracts';
import type { z } from 'zod';
import { normalised } from '../../domain/content.ts';
import { parseDuration, totalSeconds } from '../../domain/schedules/duration.ts';
import { invalidField } from '../../domain/invalid-field.ts';
import { isoOf, ruleOf, type GivenRule } from '../../domain/schedules/given-rule.ts';
import type { Rule } from '../../domain/schedules/rule.ts';
import type { Schedule, ScheduleSettings, Target } from '../../domain/schedules/schedule.ts';

type NewInput = z.output<typeof tasksRoutes.createSchedule.body>;
type ChangeInput = z.output<typeof tasksRoutes.changeSchedule.body>;

/** An hour; use several schedules for a longer spread. */
const longestJitterSeconds = 3_600;
/** A year, as long as the longest usual interval. */
const longestDueDays = 366;

/** The rule and settings of a new schedule. @throws Problem `invalid_input` that names the field. */
export function newScheduleOf(input: NewInput, now: number): { rule: Rule; settings: ScheduleSettings } {
  return {
    rule: ruleOf(input, now),
    settings: {
      target: targetOf(input.target),
      catchUp: input.catch_up,
      overlap: input.overlap,
      regenerate: input.regenerate,
      jitterSeconds: jitterOf(input.jitter),
      pauseAfterFailures: input.pause_after_failures,
    },
  };
}

/** Applies a user's changes to a schedule. @throws as `newScheduleOf`. */
export function changedScheduleOf<S extends Schedule>(schedule: S, input: ChangeInput, now: number): S {
  const given: GivenRule = {
    kind: input.kind ?? schedule.kind,
    expression: input.expression ?? schedule.expression,
    time_zone: input.time_zone ?? schedule.timeZone,
    starts_at: input.starts_at === undefined ? isoOrNull(schedule.startsAt) : input.starts_at,
    ends_at: input.ends_at === undefined ? isoOrNull(schedule.endsAt) : input.ends_at,
    dst_gap: input.dst_gap ?? schedule.dstGap,
  };
  return {
    ...schedule,
    ...ruleOf(given, now),
    target: input.target === undefined ? schedule.target : targetOf(input.target),
    catchUp: input.catch_up ?? schedule.catchUp,
    overlap: input.overlap ?? schedule.overlap,
    regenerate: input.regenerate ?? schedule.regenerate,
    jitterSeconds: input.jitter === undefined ? schedule.jitterSeconds : jitterOf(input.jitter),
    pauseAfterFailures: input.pause_after_failures ?? schedule.pauseAfterFailures,
  };
}

function targetOf(input: NewInput['target']): Target {
  if (input.kind === 'job') {
    const { concurrency_key = null, deadline_in = null, ...job } = input.job;
    requireShort('target.job.deadline_in', deadline_in);
    return { kind: 'job', job: { ...job, concurrency_key, deadline_in } };
  }
  const { project_id = null, assignee_id = null, assign = null, due_in = null, ...rest } = input;
  requireShort('target.due_in', due_in);
  return { ...normalised(rest), project_id, assignee_id, assign, due_in };
}

function requireShort(field: string, text: string | null): void {
  const duration = text === null ? undefined : parseDuration(text);
  if (duration !== undefined && totalSeconds(duration) > longestDueDays * 86_400)
    throw invalidField(field, 'too_big', `must be at most P${longestDueDays}D`);
}

function jitterOf(text: string): number {
  const duration = parseDuration(text);
  const seconds = duration === undefined ? Infinity : totalSeconds(duration);
  if (seconds > longestJitterSeconds) throw invalidField('jitter', 'too_big', 'must be at most PT1H');
  return seconds;
}

function isoOrNull(at: number | null): string | null {
  return at === null ? null : isoOf(at);
}
