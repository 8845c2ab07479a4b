import { say } from './phrase.ts';
import { defineTaskNotification } from './definition.ts';
import { actorIn, linkToTask, taskIn } from './wording.ts';

export const commentAdded = defineTaskNotification({
  events: ['tasks.comment.added'],
  recipient: 'creator and performer',
  audience: ['creator', 'performer'],
  whenDeleted: 'skip',
  standsAlone: true,
  inApp: (input) => ({
    title: 'New comment',
    body: say`${actorIn(input)} commented on ${taskIn(input)}.`,
  }),
  mail: (input) => ({
    subject: say`New comment: ${taskIn(input)}`,
    paragraphs: [say`${actorIn(input)} commented on ${taskIn(input)}.`],
    link: linkToTask(input),
  }),
});
