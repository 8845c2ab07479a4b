import type { BuildNotification } from './build-notification.ts';
import type { Plan } from './ports.ts';

/**
 * Plans the mail for an invitation. The invited person has no account, so the mail belongs to no user and is sent to the address of its link. The
 * mail counts against the inviter's budget. It doesn't contain the inviter's name, because user-written text is never sent to an unverified address.
 */
export function planInvitation({ buildNotification }: { buildNotification: BuildNotification }) {
  return ({ linkId, invitedBy }: { linkId: string; invitedBy: string }, eventId: string): Plan => {
    const templateData = { task: null, actor: null, recipient: '', linkId };
    const about = { eventId, userId: null, actorId: invitedBy, type: 'security.invitation', templateData } as const;
    return { kind: 'notify', notifications: [buildNotification(about)] };
  };
}
