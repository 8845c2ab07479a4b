import { say } from './phrase.ts';
import { defineTaskNotification } from './definition.ts';
import { actorIn, taskIn } from './wording.ts';

/** In-app only: progress doesn't justify a mail. */
export const taskStarted = defineTaskNotification({
  events: ['tasks.task.started'],
  recipient: 'the creator',
  audience: ['creator'],
  whenDeleted: 'skip',
  inApp: (input) => ({
    title: 'Your task was started',
    body: say`${actorIn(input)} started ${taskIn(input)}.`,
  }),
});
