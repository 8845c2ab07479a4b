import type { ServiceName } from '../../../infra/local/secrets.ts';
import type { Line } from '../evidence.ts';
import { broken, type Violation } from '../check/violation.ts';
import { only } from '../history.ts';
import { describeStep } from './plan.ts';

/** Returns the number of events that a service published or, for Notifications, which publishes none, consumed. Times are as in the history. */
export function eventsBetween(lines: readonly Line[], service: ServiceName, began: number, ended: number): number {
  const isOwn = (type: string) => service === 'notifications' || type.startsWith(`${service}.`);
  return only(lines, 'event').filter(({ at, event }) => at >= began && at <= ended && isOwn(event.type)).length;
}

/** Returns, by step, the events that were published while the two releases shared the work of a service. */
export function sharedWork(lines: readonly Line[]): { step: string; events: number }[] {
  return only(lines, 'step').flatMap(({ step, began, ended }) =>
    step.kind === 'mix' ? [{ step: describeStep(step), events: eventsBetween(lines, step.service, began, ended) }] : [],
  );
}

/** Reports steps without any traffic, which have proven nothing. */
export function idleSteps(lines: readonly Line[]): Violation[] {
  return broken(
    'two releases share the work',
    sharedWork(lines).map(({ step, events }) => events === 0 && `no event was published during: ${step}`),
  );
}
