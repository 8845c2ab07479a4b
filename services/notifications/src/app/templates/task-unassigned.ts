import { say } from './phrase.ts';
import type { Template } from './template.ts';
import { actorIn, linkToTask, taskIn } from './wording.ts';

export const taskUnassigned: Template = {
  inApp: (told) => ({
    title: 'A task was unassigned from you',
    body: say`${actorIn(told)} took ${taskIn(told)} from you. You no longer need to work on it.`,
  }),
  mail: (told) => ({
    subject: say`Unassigned from you: ${taskIn(told)}`,
    paragraphs: [say`${actorIn(told)} took ${taskIn(told)} from you. You no longer need to work on it.`],
    link: linkToTask(told),
  }),
};
