import { say, type Phrase } from './phrase.ts';
import type { Template, Told } from './template.ts';
import { accountActorIn } from './wording.ts';

export const adminAdded: Template = {
  inApp: (told) => ({ title: 'There is a new administrator', body: addition(told) }),
  mail: (told) => ({
    subject: 'There is a new administrator',
    paragraphs: [
      addition(told),
      told.isOwnAct
        ? 'If this was not you, set a new password now, and take the role from them again.'
        : 'If you did not expect this, take the role from them again, and ask how they got it.',
    ],
    link: { label: 'Open Taskwire', path: '/' },
  }),
};

function addition(told: Told): Phrase {
  return say`${accountActorIn(told)} made ${told.subject ?? 'somebody'} an administrator.`;
}
