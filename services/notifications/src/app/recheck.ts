import type { Delivery } from './channel.ts';
import type { TemplateData } from './notification-types.ts';
import type { FindTaskNow, Readers, TaskNow } from './ports.ts';
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
 * templateData contain the current title of the task.
 */
export function recheck({ findTaskNow }: { findTaskNow: FindTaskNow }): Recheck {
  async function check(
    { type, templateData, userId }: Delivery,
    ...asking: Parameters<FindTaskNow>
  ): Promise<Rechecked> {
    const { now, uncertainty } = await findTaskNow(...asking);
    if (now === undefined) return { kind: 'deliver', templateData, uncertainty };
    const reason = obsoleteReason({ type, userId, templateData }, now);
    return reason === undefined
      ? { kind: 'deliver', templateData: currentData(templateData, now), uncertainty }
      : { kind: 'obsolete', reason, uncertainty };
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

/** Whether a user may read a task; `readers` is null for a task that every user may read. */
export function mayRead({ readers }: { readers: Readers }, userId: string | null): boolean {
  return readers === null || (userId !== null && readers.includes(userId));
}

/** Says why a notification is obsolete given the current state of its task; undefined if it is still worth sending. */
export function obsoleteReason(
  { type, userId, templateData }: Pick<Delivery, 'type' | 'userId'> & { templateData: Pick<TemplateData, 'due'> },
  now: TaskNow,
): string | undefined {
  const definition = definitions[type];
  if (definition.about !== 'task') return undefined;
  if (!mayRead(now, userId)) return 'the recipient may no longer read the task';
  if (now.kind === 'deleted') return definition.whenDeleted === 'skip' ? 'the task was deleted' : undefined;
  return definition.obsoleteReason?.(now, userId, templateData);
}
