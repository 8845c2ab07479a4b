import { say } from './phrase.ts';
import type { Template } from './template.ts';
import { actorIn, linkToTask, taskIn } from './wording.ts';

export const taskCompleted: Template = {
  inApp: (told) => ({
    title: 'Your task was completed',
    body: say`${actorIn(told)} completed ${taskIn(told)}.`,
  }),
  mail: (told) => ({
    subject: say`Completed: ${taskIn(told)}`,
    paragraphs: [say`${actorIn(told)} completed ${taskIn(told)}, which you created.`],
    link: linkToTask(told),
  }),
};
