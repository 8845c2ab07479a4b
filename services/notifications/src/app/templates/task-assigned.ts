import { say } from './phrase.ts';
import type { Template } from './template.ts';
import { actorIn, linkToTask, taskIn } from './wording.ts';

export const taskAssigned: Template = {
  inApp: (told) => ({
    title: 'A task was assigned to you',
    body: say`${actorIn(told)} assigned ${taskIn(told)} to you.`,
  }),
  mail: (told) => ({
    subject: say`Assigned to you: ${taskIn(told)}`,
    paragraphs: [say`${actorIn(told)} assigned ${taskIn(told)} to you.`],
    link: linkToTask(told),
  }),
};
