import { hash } from 'node:crypto';
import { uuidFrom } from '../../domain/uuid.ts';

/**
 * The id of the task or job of an occurrence: a UUIDv7 whose time is the nominal instant, and whose other bits are a hash of schedule and instant. A
 * second attempt to create it violates the primary key, whatever went wrong before.
 */
export function runIdOf(what: 'task' | 'job', scheduleId: string, at: number): string {
  const time = at.toString(16).padStart(12, '0');
  return uuidFrom(`${time}0${digestOf(what, scheduleId, at).slice(0, 19)}`, 7);
}

/** The delay of an occurrence within the jitter of its schedule, in whole milliseconds: the same in every process. */
export function jitterOf(scheduleId: string, at: number, jitterSeconds: number): number {
  if (jitterSeconds === 0) return 0;
  return Number.parseInt(digestOf('jitter', scheduleId, at).slice(0, 8), 16) % (jitterSeconds * 1_000);
}

function digestOf(purpose: string, scheduleId: string, at: number): string {
  return hash('sha256', `${purpose} ${scheduleId} ${at}`);
}
