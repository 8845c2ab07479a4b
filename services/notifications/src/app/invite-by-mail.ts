import type { Compose } from './compose.ts';
import type { Plan } from './ports.ts';

/**
 * Plans the mail to somebody who is invited. They have no account, so the mail belongs to no user, and its address is that of the link. It counts as
 * caused by the inviter, whose name is not in it: nobody's text goes to addresses that nobody has verified.
 */
export function inviteByMail({ compose }: { compose: Compose }) {
  return ({ linkId, invitedBy }: { linkId: string; invitedBy: string }, eventId: string): Plan => {
    const facts = { task: null, actor: null, recipient: '', linkId };
    const about = { eventId, userId: null, actorId: invitedBy, type: 'security.invitation', facts } as const;
    return { kind: 'tell', notifications: [compose(about)] };
  };
}
