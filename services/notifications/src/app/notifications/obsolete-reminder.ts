import type { TemplateData } from '../notification-types.ts';
import type { TaskProgress } from './definition.ts';

/** Says why a reminder is obsolete (the task has ended, or is due at another time); undefined if it is still valid. */
export function obsoleteReminder(
  { state, dueAt }: TaskProgress,
  { due }: Pick<TemplateData, 'due'>,
): string | undefined {
  if (state === 'completed' || state === 'cancelled') return `the task was ${state}`;
  // unknown in states that the previous release cached
  if (dueAt === undefined || due === undefined || dueAt === due.at) return undefined;
  return dueAt === null ? 'the task has no due date any more' : 'the task has another due date';
}
