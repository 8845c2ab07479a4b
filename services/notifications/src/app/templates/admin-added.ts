import { say, type Phrase } from './phrase.ts';
import type { Template, TemplateInput } from './template.ts';
import { accountActorIn } from './wording.ts';

export const adminAdded: Template = {
  inApp: (told) => ({ title: 'A new administrator was added', body: addition(told) }),
  mail: (told) => ({
    subject: 'A new administrator was added',
    paragraphs: [
      addition(told),
      told.isOwnAct
        ? 'If this was not you, set a new password now and revoke their role.'
        : 'If you did not expect this, revoke their role and find out how they got it.',
    ],
    link: { label: 'Open Taskwire', path: '/' },
  }),
};

function addition(told: TemplateInput): Phrase {
  return say`${accountActorIn(told)} made ${told.subject ?? 'somebody'} an administrator.`;
}
