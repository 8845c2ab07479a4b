import { say } from './phrase.ts';
import { defineTaskNotification } from './definition.ts';
import { noLongerTheirs } from './no-longer-theirs.ts';
import { actorIn, linkToTask, taskIn } from './wording.ts';

export const taskUnblocked = defineTaskNotification({
  events: ['tasks.task.unblocked'],
  recipient: 'the performer',
  audience: ['named'],
  whenDeleted: 'skip',
  obsoleteReason: noLongerTheirs,
  inApp: (input) => ({
    title: 'A task is no longer blocked',
    body: say`${actorIn(input)} ended the last task that ${taskIn(input)} was waiting for.`,
  }),
  mail: (input) => ({
    subject: say`No longer blocked: ${taskIn(input)}`,
    paragraphs: [say`${actorIn(input)} ended the last task that ${taskIn(input)} was waiting for.`],
    link: linkToTask(input),
  }),
});
