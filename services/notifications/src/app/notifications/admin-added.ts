import { say, type Phrase } from './phrase.ts';
import { defineAccountNotification } from './definition.ts';
import type { TemplateInput } from './template.ts';
import { accountActorIn } from './wording.ts';

export const adminAdded = defineAccountNotification({
  event: 'auth.account.admin_added',
  recipient: 'each other admin',
  mailKind: 'security',
  read: ({ actor, admin_id }) => ({ actorId: actor, subjectId: admin_id }),
  inApp: (input) => ({ title: 'A new administrator was added', body: addition(input) }),
  mail: (input) => ({
    subject: 'A new administrator was added',
    paragraphs: [
      addition(input),
      input.isOwnAct
        ? 'If this was not you, set a new password now and revoke their role.'
        : 'If you did not expect this, revoke their role and find out how they got it.',
    ],
    link: { label: 'Open Taskwire', path: '/' },
  }),
});

function addition(input: TemplateInput): Phrase {
  return say`${accountActorIn(input)} made ${input.subject ?? 'someone'} an administrator.`;
}
