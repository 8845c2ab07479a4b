import type { Template } from './template.ts';
import { actorIn, taskIn } from './wording.ts';

/** In-app only: progress is worth a line, not a mail. */
export const taskStarted: Template = {
  inApp: (facts) => ({
    title: 'Your task was started',
    body: `${actorIn(facts)} started ${taskIn(facts)}.`,
  }),
};
