import { say } from './phrase.ts';
import { defineTaskNotification } from './definition.ts';
import { actorIn, linkToTask, taskIn } from './wording.ts';

export const taskAssigned = defineTaskNotification({
  events: ['tasks.task.assigned'],
  recipient: 'the performer',
  audience: ['named'],
  whenDeleted: 'skip',
  obsoleteReason({ state, assigneeId }, recipientId) {
    if (state === 'completed' || state === 'cancelled') return `the task was ${state}`;
    if (state === 'draft') return 'the task is no longer assigned to anyone';
    return assigneeId !== null && assigneeId !== recipientId ? 'the task is assigned to someone else' : undefined;
  },
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
