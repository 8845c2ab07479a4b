import { say } from './phrase.ts';
import type { Template } from './template.ts';
import { actorIn, linkToTask, taskIn } from './wording.ts';

export const taskCancelled: Template = {
  inApp: (told) => ({
    title: 'A task was cancelled',
    body: say`${actorIn(told)} cancelled ${taskIn(told)}.`,
  }),
  mail: (told) => ({
    subject: say`Cancelled: ${taskIn(told)}`,
    paragraphs: [say`${actorIn(told)} cancelled ${taskIn(told)}. Nobody has to work on it any more.`],
    link: linkToTask(told),
  }),
};
