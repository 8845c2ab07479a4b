import { say } from './phrase.ts';
import { defineTaskNotification } from './definition.ts';
import { actorIn, linkToTask, taskIn } from './wording.ts';

export const taskCompleted = defineTaskNotification({
  events: ['tasks.task.completed'],
  recipient: 'the creator',
  audience: ['creator'],
  whenDeleted: 'notify',
  inApp: (input) => ({
    title: 'Your task was completed',
    body: say`${actorIn(input)} completed ${taskIn(input)}.`,
  }),
  mail: (input) => ({
    subject: say`Completed: ${taskIn(input)}`,
    paragraphs: [say`${actorIn(input)} completed ${taskIn(input)}, which you created.`],
    link: linkToTask(input),
  }),
});
