import type { Template } from './template.ts';
import { actorIn, linkToTask, taskIn } from './wording.ts';

export const taskCompleted: Template = {
  inApp: (facts) => ({
    title: 'Your task was completed',
    body: `${actorIn(facts)} completed ${taskIn(facts)}.`,
  }),
  mail: (facts) => ({
    subject: `Completed: ${taskIn(facts)}`,
    paragraphs: [`Hello ${facts.recipient},`, `${actorIn(facts)} completed ${taskIn(facts)}, which you created.`],
    link: linkToTask(facts),
  }),
};
