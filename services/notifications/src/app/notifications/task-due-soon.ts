import { say } from './phrase.ts';
import { defineTaskNotification } from './definition.ts';
import { obsoleteReminder } from './obsolete-reminder.ts';
import { dueIn, linkToTask, taskIn } from './wording.ts';

export const taskDueSoon = defineTaskNotification({
  events: ['tasks.task.due_soon'],
  recipient: 'the performer',
  audience: ['named'],
  whenDeleted: 'skip',
  // a former performer gets a later notification, which supersedes this one
  obsoleteReason: (task, _recipientId, templateData) => obsoleteReminder(task, templateData),
  inApp: (input) => ({
    title: 'A task is due soon',
    body: say`${taskIn(input)} is due on ${dueIn(input)}.`,
  }),
  mail: (input) => ({
    subject: say`Due soon: ${taskIn(input)}`,
    paragraphs: [say`${taskIn(input)} is due on ${dueIn(input)}.`],
    link: linkToTask(input),
  }),
});
