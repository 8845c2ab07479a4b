import { randomUUIDv7 } from 'node:crypto';
import { expect } from 'chai';
import { audienceOf } from '../src/app/rules.ts';

const [ann, ben, cas, task] = [randomUUIDv7(), randomUUIDv7(), randomUUIDv7(), randomUUIDv7()];
const fact = { task_uuid: task, timestamp: '2026-11-20T10:00:00.000001Z' };

describe('Who is told of an event of a task', () => {
  it('the performer, of an assignment', () => {
    expect(audienceOf('tasks.task.assigned', { ...fact, actor: cas, assigned_to: ann }, ben)).to.deep.equal([ann]);
  });
  it('the one it was taken from, of a reassignment', () => {
    expect(audienceOf('tasks.task.unassigned', { ...fact, actor: cas, unassigned_from: ann }, ben)).to.deep.equal([
      ann,
    ]);
  });
  for (const type of ['tasks.task.started', 'tasks.task.completed'] as const) {
    it(`the creator, of ${type}`, () => {
      expect(audienceOf(type, { ...fact, actor: ann, assigned_to: ann }, ben)).to.deep.equal([ben]);
    });
  }
  it('creator and performer, of a cancellation', () => {
    const event = { ...fact, actor: cas, assigned_to: ann };
    expect(audienceOf('tasks.task.cancelled', event, ben)).to.have.members([ann, ben]);
  });
  it('nobody twice, when the creator is the performer', () => {
    const event = { ...fact, actor: cas, assigned_to: ann };
    expect(audienceOf('tasks.task.cancelled', event, ann)).to.deep.equal([ann]);
  });
  it('never the one who did it', () => {
    expect(audienceOf('tasks.task.assigned', { ...fact, actor: ann, assigned_to: ann }, ben)).to.deep.equal([]);
    const cancelled = { ...fact, actor: ben, assigned_to: ann };
    expect(audienceOf('tasks.task.cancelled', cancelled, ben)).to.deep.equal([ann]);
  });
  it('those concerned, of what the system itself did', () => {
    expect(audienceOf('tasks.task.unassigned', { ...fact, actor: null, unassigned_from: ann }, ben)).to.deep.equal([
      ann,
    ]);
  });
  it('only the creator, of the cancellation of a task that nobody had', () => {
    const event = { ...fact, actor: cas, assigned_to: null };
    expect(audienceOf('tasks.task.cancelled', event, ben)).to.deep.equal([ben]);
  });
  it('only the performer, when the creator is not known any more', () => {
    const event = { ...fact, actor: cas, assigned_to: ann };
    expect(audienceOf('tasks.task.cancelled', event, undefined)).to.deep.equal([ann]);
  });
});
