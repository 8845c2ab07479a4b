import type { Evidence } from '../evidence.ts';
import { overtaken } from './mail-order.ts';
import { everInProject } from './task-history.ts';
import { broken, type Violation } from './violation.ts';

/**
 * A notification is mailed at most once, plus once for each attempt with an unknown outcome; a mail recorded as sent has arrived. The Message-ID is
 * the notification's id. A mail is skipped only if it was no longer useful.
 */
export function checkMails(evidence: Evidence): Violation[] {
  const { mails, world } = evidence;
  const pointless = overtaken(evidence);
  const arrived = Map.groupBy(mails, ({ id }) => id);
  const deliveries = world.deliveries.filter(({ channel }) => channel === 'email');
  const deleted = new Set(world.users.filter((user) => user.is_deleted).map(({ id }) => id));
  const hasVoidLink = new Set(world.links.flatMap((link) => (link.is_void ? [link.user_id] : [])));
  const known = new Set(deliveries.map(({ notification_id }) => notification_id));
  const strays = [...arrived.keys()].filter((id) => !known.has(id));
  const inProject = everInProject(world);
  const hidden = new Set(
    world.notifications.flatMap(({ id, task_id }) => (task_id !== null && inProject.has(task_id) ? [id] : [])),
  );
  // the attempt of a process that died while sending is not counted yet
  return broken('mails are not duplicated', [
    ...strays.map((id) => `a mail with the Message-ID ${id} belongs to no delivery`),
    ...deliveries.map(({ notification_id: id, user_id, state, unknown_outcomes, last_error }) => {
      const count = arrived.get(id)?.length ?? 0;
      const text = `notification ${id}: ${count} mails, ${state}, ${unknown_outcomes} attempts with an unknown outcome`;
      if (count > 1 + unknown_outcomes) return text;
      if (state === 'sent' && count === 0) return text;
      if (state === 'failed' && !deleted.has(user_id)) return `${text}; ${last_error}`;
      // a recipient may have left the project for a while
      if (state === 'skipped' && hidden.has(id)) return false;
      if (state === 'skipped' && !pointless.has(id) && !deleted.has(user_id) && !hasVoidLink.has(user_id))
        return `${text}; ${last_error}`;
      return state === 'unknown' && unknown_outcomes === 0 && text;
    }),
  ]);
}
