import type { Template } from './template.ts';

export const userWelcome: Template = {
  inApp: (facts) => ({
    title: 'Welcome to Taskwire',
    body: `Hello ${facts.recipient}! Tasks that are assigned to you, and what becomes of those that you create, are told here.`,
  }),
  mail: (facts) => ({
    subject: 'Welcome to Taskwire',
    paragraphs: [
      `Hello ${facts.recipient},`,
      'you have an account at Taskwire now.',
      'You will be told here when a task is assigned to you, and what becomes of the tasks that you create.',
    ],
    link: { label: 'Open Taskwire', path: '/' },
  }),
};
