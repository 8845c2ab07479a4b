import { say } from './phrase.ts';
import { defineTaskNotification } from './definition.ts';
import { actorIn, linkToTask, taskIn } from './wording.ts';

export const taskCancelled = defineTaskNotification({
  events: ['tasks.task.cancelled'],
  recipient: 'creator and performer',
  audience: ['creator', 'named'],
  whenDeleted: 'notify',
  inApp: (input) => ({
    title: 'A task was cancelled',
    body: say`${actorIn(input)} cancelled ${taskIn(input)}.`,
  }),
  mail: (input) => ({
    subject: say`Cancelled: ${taskIn(input)}`,
    paragraphs: [say`${actorIn(input)} cancelled ${taskIn(input)}. No further work is needed.`],
    link: linkToTask(input),
  }),
});
