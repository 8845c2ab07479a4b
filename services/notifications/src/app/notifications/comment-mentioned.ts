import { say } from './phrase.ts';
import { defineTaskNotification } from './definition.ts';
import { actorIn, linkToTask, taskIn } from './wording.ts';

export const commentMentioned = defineTaskNotification({
  events: ['tasks.comment.added', 'tasks.comment.changed'],
  recipient: 'the users mentioned for the first time',
  audience: ['mentioned'],
  whenDeleted: 'skip',
  standsAlone: true,
  inApp: (input) => ({
    title: 'You were mentioned',
    body: say`${actorIn(input)} mentioned you in a comment on ${taskIn(input)}.`,
  }),
  mail: (input) => ({
    subject: say`You were mentioned: ${taskIn(input)}`,
    paragraphs: [say`${actorIn(input)} mentioned you in a comment on ${taskIn(input)}.`],
    link: linkToTask(input),
  }),
});
