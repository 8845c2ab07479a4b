import type { AccountLink } from '../ports.ts';
import { say, type Phrase } from './phrase.ts';
import type { Mail, TemplateInput } from './template.ts';
import { timeInWords } from './time-in-words.ts';

/** The task's title in quotes, for use in a sentence. */
export function taskIn({ task }: TemplateInput): Phrase {
  return say`“${task?.title ?? 'a task'}”`;
}

/** The actor, for the start of a sentence. */
export function actorIn({ actor }: TemplateInput): Phrase {
  return actor ?? 'Taskwire';
}

/** The actor of a change to an account, for the start of a sentence. */
export function accountActorIn({ actor, isOwnAct }: TemplateInput): Phrase {
  return isOwnAct ? 'You' : (actor ?? 'An operator, on the command line,');
}

/** The due date of the task, for use in a sentence. */
export function dueIn({ due }: TemplateInput): Phrase {
  return due ?? 'a date in the past';
}

/** A link to the task, or to the app if the task was deleted. */
export function linkToTask({ task }: TemplateInput): Mail['link'] {
  return task === null || task.isDeleted
    ? { label: 'Open Taskwire', path: '/' }
    : { label: 'Open the task', path: `/tasks/${task.id}` };
}

/** Says when and from where a mail was requested, with a leading space; empty if Auth doesn't send this information. */
export function requestInWords(requested: AccountLink['requested']): string {
  if (requested === undefined) return '';
  const { at, browser, network } = requested;
  return [` on ${timeInWords(at)}`, browser && ` with ${browser}`, network && ` from the network ${network}`]
    .filter((part) => part !== null)
    .join('');
}
