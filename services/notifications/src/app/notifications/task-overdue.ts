import { say } from './phrase.ts';
import { defineTaskNotification } from './definition.ts';
import { obsoleteReminder } from './obsolete-reminder.ts';
import { dueIn, linkToTask, taskIn } from './wording.ts';

export const taskOverdue = defineTaskNotification({
  events: ['tasks.task.overdue'],
  recipient: 'creator and performer',
  audience: ['creator', 'named'],
  whenDeleted: 'skip',
  // a former performer gets a later notification, which supersedes this one
  obsoleteReason: (task, _recipientId, templateData) => obsoleteReminder(task, templateData),
  inApp: (input) => ({
    title: 'A task is overdue',
    body: say`${taskIn(input)} was due on ${dueIn(input)}.`,
  }),
  mail: (input) => ({
    subject: say`Overdue: ${taskIn(input)}`,
    paragraphs: [say`${taskIn(input)} was due on ${dueIn(input)}, and is not completed.`],
    link: linkToTask(input),
  }),
});
