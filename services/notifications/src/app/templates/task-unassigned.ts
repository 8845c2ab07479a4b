import type { Template } from './template.ts';
import { actorIn, linkToTask, taskIn } from './wording.ts';

export const taskUnassigned: Template = {
  inApp: (facts) => ({
    title: 'A task is no longer yours',
    body: `${actorIn(facts)} took ${taskIn(facts)} from you. There is nothing left for you to do on it.`,
  }),
  mail: (facts) => ({
    subject: `No longer yours: ${taskIn(facts)}`,
    paragraphs: [
      `Hello ${facts.recipient},`,
      `${actorIn(facts)} took ${taskIn(facts)} from you. There is nothing left for you to do on it.`,
    ],
    link: linkToTask(facts),
  }),
};
