import { say } from './phrase.ts';
import type { Template } from './template.ts';
import { actorIn, linkToTask, taskIn } from './wording.ts';

export const taskUnassigned: Template = {
  inApp: (told) => ({
    title: 'A task is no longer yours',
    body: say`${actorIn(told)} took ${taskIn(told)} from you. There is nothing left for you to do on it.`,
  }),
  mail: (told) => ({
    subject: say`No longer yours: ${taskIn(told)}`,
    paragraphs: [say`${actorIn(told)} took ${taskIn(told)} from you. There is nothing left for you to do on it.`],
    link: linkToTask(told),
  }),
};
