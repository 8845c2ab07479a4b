import { randomUUIDv7 } from 'node:crypto';
import type { EventPayload } from '@taskwire/contracts';
import { expect } from 'chai';
import type { NotifiedEventType } from '../src/app/notifications/definition.ts';
import { taskNotifications } from '../src/app/notifications/definitions.ts';
import { recipientsOf } from '../src/app/notify-about-task.ts';

const [ann, ben, cas, task] = [randomUUIDv7(), randomUUIDv7(), randomUUIDv7(), randomUUIDv7()];
const fact = { task_uuid: task, timestamp: '2026-11-20T10:00:00.000001Z' };

function recipients<T extends NotifiedEventType>(type: T, event: EventPayload<T>, creatorId: string | undefined) {
  return [...typesOf(type, event, { creatorId: creatorId ?? null }).keys()];
}

function typesOf<T extends NotifiedEventType>(
  type: T,
  event: EventPayload<T>,
  people: Parameters<typeof recipientsOf>[2],
): Map<string, string> {
  const recipients = recipientsOf(taskNotifications.get(type)!, event, people);
  return new Map([...recipients].map(([id, notification]) => [id, notification.type]));
}

describe('The recipients of task notifications', () => {
  it('are the performer for an assignment', () => {
    expect(recipients('tasks.task.assigned', { ...fact, actor: cas, assigned_to: ann }, ben)).to.deep.equal([ann]);
  });
  it('are the former performer for an unassignment', () => {
    expect(recipients('tasks.task.unassigned', { ...fact, actor: cas, unassigned_from: ann }, ben)).to.deep.equal([
      ann,
    ]);
  });
  for (const type of ['tasks.task.started', 'tasks.task.completed'] as const) {
    it(`are the creator for ${type}`, () => {
      expect(recipients(type, { ...fact, actor: ann, assigned_to: ann }, ben)).to.deep.equal([ben]);
    });
  }
  it('are creator and performer for a cancellation', () => {
    const event = { ...fact, actor: cas, assigned_to: ann };
    expect(recipients('tasks.task.cancelled', event, ben)).to.have.members([ann, ben]);
  });
  it('include a user only once if they are both creator and performer', () => {
    const event = { ...fact, actor: cas, assigned_to: ann };
    expect(recipients('tasks.task.cancelled', event, ann)).to.deep.equal([ann]);
  });
  it('never include the actor', () => {
    expect(recipients('tasks.task.assigned', { ...fact, actor: ann, assigned_to: ann }, ben)).to.deep.equal([]);
    const cancelled = { ...fact, actor: ben, assigned_to: ann };
    expect(recipients('tasks.task.cancelled', cancelled, ben)).to.deep.equal([ann]);
  });
  it('are notified of changes by the system itself', () => {
    expect(recipients('tasks.task.unassigned', { ...fact, actor: null, unassigned_from: ann }, ben)).to.deep.equal([
      ann,
    ]);
  });
  it('are only the creator when a task without a performer is cancelled', () => {
    const event = { ...fact, actor: cas, assigned_to: null };
    expect(recipients('tasks.task.cancelled', event, ben)).to.deep.equal([ben]);
  });
  it('are only the performer when the creator is no longer known', () => {
    const event = { ...fact, actor: cas, assigned_to: ann };
    expect(recipients('tasks.task.cancelled', event, undefined)).to.deep.equal([ann]);
  });

  const comment = { ...fact, comment_uuid: randomUUIDv7(), author: cas, actor: cas };
  it('are creator and performer of the task for a comment, each once, and not its author', () => {
    const added = { ...comment, mentions: [] };
    const people = { creatorId: ben, assigneeId: ann };
    expect([...typesOf('tasks.comment.added', added, people)]).to.deep.equal([
      [ben, 'comment.added'],
      [ann, 'comment.added'],
    ]);
    expect(typesOf('tasks.comment.added', added, { creatorId: ben, assigneeId: ben }).size).to.equal(1);
    expect(typesOf('tasks.comment.added', added, { creatorId: cas, assigneeId: null }).size).to.equal(0);
  });
  it('are notified of a mention instead of the comment', () => {
    const added = { ...comment, mentions: [ann, cas] };
    expect(
      Object.fromEntries(typesOf('tasks.comment.added', added, { creatorId: ben, assigneeId: ann })),
    ).to.deep.equal({
      [ann]: 'comment.mentioned',
      [ben]: 'comment.added',
    });
  });
  it('are only those whom a changed comment did not mention before', () => {
    const changed = { ...comment, mentions: [ann, ben], mentions_added: [ben] };
    expect([...typesOf('tasks.comment.changed', changed, { creatorId: cas, assigneeId: ann })]).to.deep.equal([
      [ben, 'comment.mentioned'],
    ]);
  });
});
