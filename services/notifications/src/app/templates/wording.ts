import type { AccountLink } from '../ports.ts';
import { say, type Phrase } from './phrase.ts';
import type { Mail, Told } from './template.ts';

/** The task in a sentence: its title in quotes. */
export function taskIn({ task }: Told): Phrase {
  return say`“${task?.title ?? 'a task'}”`;
}

/** Who did it, at the start of a sentence. */
export function actorIn({ actor }: Told): Phrase {
  return actor ?? 'Taskwire';
}

/** Who changed an account, at the start of a sentence. */
export function accountActorIn({ actor, isOwnAct }: Told): Phrase {
  return isOwnAct ? 'You' : (actor ?? 'An operator, on the command line,');
}

/** A link to the task, or to the tasks where it is gone. */
export function linkToTask({ task }: Told): Mail['link'] {
  return task === null || task.isDeleted
    ? { label: 'Open Taskwire', path: '/' }
    : { label: 'Open the task', path: `/tasks/${task.id}` };
}

/** An instant for people, to the minute. Where they are is not known, so it is UTC and says so. */
export function timeInWords(instant: string): string {
  return `${new Date(instant).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** When and from where somebody caused a mail, with a space before it; nothing where Auth did not say. */
export function requestInWords(requested: AccountLink['requested']): string {
  if (requested === undefined) return '';
  const { at, browser, network } = requested;
  return [` on ${timeInWords(at)}`, browser && ` with ${browser}`, network && ` from the network ${network}`]
    .filter((part) => part !== null)
    .join('');
}
