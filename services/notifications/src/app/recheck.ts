import type { Delivery } from './channel.ts';
import type { TemplateData } from './notification-types.ts';
import type { FindTaskNow, FindUser, Readers, TaskNow, User } from './ports.ts';
import { definitions } from './notifications/definitions.ts';

/**
 * Whether a delivery is still worth sending when its turn comes. `uncertainty` says why that couldn't be checked; the
 * decision then relies on the last known state.
 */
export type Rechecked = ({ kind: 'deliver'; templateData: TemplateData } | { kind: 'obsolete'; reason: string }) & {
  uncertainty: string | null;
};

export type Recheck = (delivery: Delivery, signal: AbortSignal) => Promise<Rechecked>;

/**
 * The first attempt closely follows the event, for which the task has just been read. The maximum age, in milliseconds, of a response that may be
 * reused: another query within this time would find only changes that could equally well happen while the mail is in transit. Retries, delayed
 * deliveries and deliveries about to be skipped always query Tasks.
 */
const recentMs = 2_000;

/**
 * Rechecks a planned delivery right before the handoff. While a mail waited, its task may have been reassigned, ended or deleted. The returned
 * templateData contain the current title of the task. @throws when it is not known whether the recipient may read the task.
 */
export function recheck({ findTaskNow, findUser }: { findTaskNow: FindTaskNow; findUser: FindUser }): Recheck {
  async function check(
    { type, templateData, userId }: Delivery,
    ...asking: Parameters<FindTaskNow>
  ): Promise<Rechecked> {
    const { now, uncertainty } = await findTaskNow(...asking);
    if (now === undefined) return { kind: 'deliver', templateData, uncertainty };
    const isReadable = await isReadableTo(now, userId);
    const reason = obsoleteReason({ type, userId, templateData, isReadable }, now);
    return reason === undefined
      ? { kind: 'deliver', templateData: currentData(templateData, now), uncertainty }
      : { kind: 'obsolete', reason, uncertainty };
  }

  async function isReadableTo(now: TaskNow, userId: string | null): Promise<boolean> {
    if (userId === null) return now.readers === null;
    if (mayRead(now, { id: userId, isLeader: false })) return true;
    const user = await findUser(userId);
    if (user.kind === 'unavailable') throw new Error(`unknown whether the recipient may read the task: ${user.detail}`);
    return user.kind === 'user' && user.isLeader;
  }

  return async (delivery, signal) => {
    const { task } = delivery.templateData;
    if (task === null) return { kind: 'deliver', templateData: delivery.templateData, uncertainty: null };
    if (delivery.attempt === 1) {
      const checked = await check(delivery, task.id, { recentMs, signal });
      if (checked.kind === 'deliver') return checked;
    }
    return await check(delivery, task.id, { recentMs: 0, signal });
  };
}

function currentData(templateData: TemplateData, now: TaskNow): TemplateData {
  if (templateData.task === null) return templateData;
  return {
    ...templateData,
    task: { ...templateData.task, title: now.title ?? templateData.task.title, isDeleted: now.kind === 'deleted' },
  };
}

/** Whether a user may read a task. */
export function mayRead({ readers }: { readers: Readers }, { id, isLeader }: Pick<User, 'id' | 'isLeader'>): boolean {
  return readers === null || isLeader || readers.includes(id);
}

type Waiting = Pick<Delivery, 'type' | 'userId'> & {
  templateData: Pick<TemplateData, 'due'>;
  /** Whether the recipient may read the task. */
  isReadable: boolean;
};

/** Says why a notification is obsolete given the current state of its task; undefined if it is still worth sending. */
export function obsoleteReason({ type, userId, templateData, isReadable }: Waiting, now: TaskNow): string | undefined {
  const definition = definitions[type];
  if (definition.about !== 'task') return undefined;
  if (!isReadable) return 'the recipient may no longer read the task';
  if (now.kind === 'deleted') return definition.whenDeleted === 'skip' ? 'the task was deleted' : undefined;
  return definition.obsoleteReason?.(now, userId, templateData);
}
