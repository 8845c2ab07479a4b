import type { Template } from './template.ts';
import { actorIn, linkToTask, taskIn } from './wording.ts';

export const taskAssigned: Template = {
  inApp: (facts) => ({
    title: 'A task was assigned to you',
    body: `${actorIn(facts)} assigned ${taskIn(facts)} to you.`,
  }),
  mail: (facts) => ({
    subject: `Assigned to you: ${taskIn(facts)}`,
    paragraphs: [`Hello ${facts.recipient},`, `${actorIn(facts)} assigned ${taskIn(facts)} to you.`],
    link: linkToTask(facts),
  }),
};
