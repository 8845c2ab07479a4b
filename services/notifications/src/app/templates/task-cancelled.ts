import type { Template } from './template.ts';
import { actorIn, linkToTask, taskIn } from './wording.ts';

export const taskCancelled: Template = {
  inApp: (facts) => ({
    title: 'A task was cancelled',
    body: `${actorIn(facts)} cancelled ${taskIn(facts)}.`,
  }),
  mail: (facts) => ({
    subject: `Cancelled: ${taskIn(facts)}`,
    paragraphs: [
      `Hello ${facts.recipient},`,
      `${actorIn(facts)} cancelled ${taskIn(facts)}. Nobody has to work on it any more.`,
    ],
    link: linkToTask(facts),
  }),
};
