import { say, type Phrase } from './phrase.ts';
import type { Template, TemplateInput } from './template.ts';
import { accountActorIn } from './wording.ts';

export const roleChanged: Template = {
  inApp: (told) => ({ title: 'Your role was changed', body: change(told) }),
  mail: (told) => ({
    subject: 'Your role was changed',
    paragraphs: [
      change(told),
      told.isOwnAct
        ? 'If this was not you, set a new password now and tell another administrator.'
        : 'If you did not expect this, ask an administrator.',
    ],
    link: { label: 'Open Taskwire', path: '/' },
  }),
};

function change(told: TemplateInput): Phrase {
  const owner = told.isOwnAct ? 'your own' : 'your';
  return say`${accountActorIn(told)} changed ${owner} role in Taskwire to ${told.role ?? 'another one'}.`;
}
