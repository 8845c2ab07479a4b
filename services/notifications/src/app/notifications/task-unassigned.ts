import { say } from './phrase.ts';
import { defineTaskNotification } from './definition.ts';
import { actorIn, linkToTask, taskIn } from './wording.ts';

export const taskUnassigned = defineTaskNotification({
  events: ['tasks.task.unassigned'],
  recipient: 'the former performer',
  audience: ['named'],
  whenDeleted: 'notify',
  obsoleteReason({ state, assigneeId }, recipientId) {
    const isOpen = state === 'assigned' || state === 'in_progress';
    return isOpen && assigneeId === recipientId ? 'the task is assigned to the recipient again' : undefined;
  },
  inApp: (input) => ({
    title: 'A task was unassigned from you',
    body: say`${actorIn(input)} took ${taskIn(input)} from you. You no longer need to work on it.`,
  }),
  mail: (input) => ({
    subject: say`Unassigned from you: ${taskIn(input)}`,
    paragraphs: [say`${actorIn(input)} took ${taskIn(input)} from you. You no longer need to work on it.`],
    link: linkToTask(input),
  }),
});
