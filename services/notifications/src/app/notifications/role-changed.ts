import { say, type Phrase } from './phrase.ts';
import { defineAccountNotification } from './definition.ts';
import type { TemplateInput } from './template.ts';
import { accountActorIn } from './wording.ts';

export const roleChanged = defineAccountNotification({
  event: 'auth.account.role_changed',
  recipient: 'the user',
  mailKind: 'security',
  read: ({ actor, role }) => ({ actorId: actor, role }),
  inApp: (input) => ({ title: 'Your role was changed', body: change(input) }),
  mail: (input) => ({
    subject: 'Your role was changed',
    paragraphs: [
      change(input),
      input.isOwnAct
        ? 'If this was not you, set a new password now and inform another administrator.'
        : 'If you did not expect this, ask an administrator.',
    ],
    link: { label: 'Open Taskwire', path: '/' },
  }),
});

function change(input: TemplateInput): Phrase {
  const owner = input.isOwnAct ? 'your own' : 'your';
  return say`${accountActorIn(input)} changed ${owner} role in Taskwire to ${input.role ?? 'another one'}.`;
}
