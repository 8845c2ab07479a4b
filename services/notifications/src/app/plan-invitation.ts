import type { BuildNotification } from './build-notification.ts';
import type { Plan } from './ports.ts';

/**
 * Plans the mail for an invitation. The invited person has no account, so the mail belongs to no user and goes to the
 * address of its link. It counts against the budget of the inviter. It doesn't contain the inviter's name: an
 * unverified address never receives text written by a user.
 */
export function planInvitation({ buildNotification }: { buildNotification: BuildNotification }) {
  return ({ linkId, invitedBy }: { linkId: string; invitedBy: string }, eventId: string): Plan => {
    const templateData = { task: null, actor: null, recipient: '', linkId };
    const about = { eventId, userId: null, actorId: invitedBy, type: 'security.invitation', templateData } as const;
    return { kind: 'notify', notifications: [buildNotification(about)] };
  };
}
