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
    paragraphs: [say`${actorIn(told)} cancelled ${taskIn(told)}. No further work is needed.`],
    link: linkToTask(told),
  }),
};
