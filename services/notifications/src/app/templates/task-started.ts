import { say } from './phrase.ts';
import type { Template } from './template.ts';
import { actorIn, taskIn } from './wording.ts';

/** In-app only: progress doesn't justify a mail. */
export const taskStarted: Template = {
  inApp: (told) => ({
    title: 'Your task was started',
    body: say`${actorIn(told)} started ${taskIn(told)}.`,
  }),
};
