import { say } from './phrase.ts';
import { defineTaskNotification } from './definition.ts';
import { noLongerTheirs } from './no-longer-theirs.ts';
import { actorIn, linkToTask, taskIn } from './wording.ts';

export const taskAssigned = defineTaskNotification({
  events: ['tasks.task.assigned'],
  recipient: 'the performer',
  audience: ['named'],
  whenDeleted: 'skip',
  obsoleteReason: noLongerTheirs,
  inApp: (input) => ({
    title: 'A task was assigned to you',
    body: say`${actorIn(input)} assigned ${taskIn(input)} to you.`,
  }),
  mail: (input) => ({
    subject: say`Assigned to you: ${taskIn(input)}`,
    paragraphs: [say`${actorIn(input)} assigned ${taskIn(input)} to you.`],
    link: linkToTask(input),
  }),
});
