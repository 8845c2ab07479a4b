import type { EventPayload } from '@taskwire/contracts';
import type { Compose } from './compose.ts';
import type { FindPerson, FindTask, Person, Plan } from './ports.ts';
import { audienceOf, rules, type ToldEventType } from './rules.ts';

type Needs = { findTask: FindTask; findPerson: FindPerson; compose: Compose };

/** Plans who is told what of an event of a task. Reads from other services; writes nothing. */
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
    // its event came through Tasks' outbox, so Tasks had it: a restored backup or a wrong address, and not for this service to guess
    if (task.kind === 'unheard_of')
      return { kind: 'impossible', reason: `Tasks does not know the task ${event.task_uuid}` };
    // a task that was deleted before this service ever saw it is one that nobody was told of: its end is no news either
    const { title } = task;
    if (title === null || (task.kind === 'deleted' && rule.whenDeleted === 'skip'))
      return { kind: 'tell', notifications: [] };

    const recipients: Person[] = [];
    for (const id of audienceOf(eventType, event, task.creatorId ?? undefined)) {
      const person = await findPerson(id);
      if (person.kind === 'unavailable') return later(person);
      // the event names them, so they exist: a name that nothing is known of is never "nobody to notify"
      if (person.kind === 'unheard_of') return later({ detail: `Auth does not know the recipient ${id} yet` });
      // the deleted are not notified
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

/** A name is an ornament: that Auth cannot be asked for it does not hold the message back. */
async function nameOf(id: string, findPerson: FindPerson): Promise<string> {
  const person = await findPerson(id);
  return person.kind === 'person' ? person.name : 'Somebody';
}

function later({ detail, retryAfterMs }: { detail: string; retryAfterMs?: number }): Plan {
  return { kind: 'later', reason: detail, ...(retryAfterMs === undefined ? {} : { afterMs: retryAfterMs }) };
}
