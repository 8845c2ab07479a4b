import type { EventPayload } from '@taskwire/contracts';
import type { Compose } from './compose.ts';
import type { FindPerson, FindTask, Person, Plan } from './ports.ts';
import { audienceOf, rules, type ToldEventType } from './rules.ts';

type Needs = { findTask: FindTask; findPerson: FindPerson; compose: Compose };

/** Plans the notifications for a task event. Reads from other services; writes nothing. */
export function tellAboutTask({ findTask, findPerson, compose }: Needs) {
  return async <T extends ToldEventType>(
    eventType: T,
    event: EventPayload<T>,
    eventId: string,
    signal: AbortSignal,
  ): Promise<Plan> => {
    const rule = rules[eventType];
    const concernsNobody = !rule.tell.includes('creator') && audienceOf(eventType, event, undefined).length === 0;
    if (concernsNobody) return { kind: 'tell', notifications: [] };

    const task = await findTask(event.task_uuid, event.timestamp, signal);
    if (task.kind === 'unavailable') return later(task);
    // the event came through Tasks' outbox, so Tasks had the task. A restored backup or a wrong address is not for this
    // service to guess
    if (task.kind === 'unheard_of')
      return { kind: 'impossible', reason: `Tasks does not know the task ${event.task_uuid}` };
    // a task deleted before this service first saw it never caused a notification, so its end isn't news either
    const { title } = task;
    if (title === null || (task.kind === 'deleted' && rule.whenDeleted === 'skip'))
      return { kind: 'tell', notifications: [] };

    const recipients: Person[] = [];
    for (const id of audienceOf(eventType, event, task.creatorId ?? undefined)) {
      const person = await findPerson(id);
      if (person.kind === 'unavailable') return later(person);
      // the event names this user, so they exist: an unknown user must not be treated as "nobody to notify"
      if (person.kind === 'unheard_of') return later({ detail: `Auth does not know the recipient ${id} yet` });
      // deleted users are not notified
      if (person.kind === 'person') recipients.push(person);
    }
    if (recipients.length === 0) return { kind: 'tell', notifications: [] };

    const actor = event.actor === null ? null : await nameOf(event.actor, findPerson);
    return {
      kind: 'tell',
      notifications: recipients.map((recipient) =>
        compose({
          eventId,
          userId: recipient.id,
          type: rule.type,
          actorId: event.actor,
          happenedAt: event.timestamp,
          facts: {
            task: { id: task.id, title, isDeleted: task.kind === 'deleted' },
            actor,
            recipient: recipient.name,
          },
        }),
      ),
    };
  };
}

/** The actor's name is optional: don't delay the notification when Auth is unavailable. */
async function nameOf(id: string, findPerson: FindPerson): Promise<string> {
  const person = await findPerson(id);
  return person.kind === 'person' ? person.name : 'Somebody';
}

function later({ detail, retryAfterMs }: { detail: string; retryAfterMs?: number }): Plan {
  return { kind: 'later', reason: detail, ...(retryAfterMs === undefined ? {} : { afterMs: retryAfterMs }) };
}
