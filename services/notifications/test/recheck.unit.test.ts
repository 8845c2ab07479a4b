import { expect } from 'chai';
import type { NotificationType } from '../src/app/notification-types.ts';
import { obsoleteReason } from '../src/app/recheck.ts';

const [ann, ben] = ['ann', 'ben'];
const task = (state: string, assigneeId: string | null) =>
  ({ kind: 'task', title: 'Paint the fence', state, assigneeId }) as const;
const deleted = { kind: 'deleted', title: 'Paint the fence' } as const;
const untrue = {
  deleted: 'the task was deleted',
  completed: 'the task was completed',
  cancelled: 'the task was cancelled',
  nobody: 'the task is no longer assigned to anyone',
  another: 'the task is assigned to someone else',
  again: 'the task is assigned to the recipient again',
};

describe('What has become obsoleteReason while it waited', () => {
  const cases: [NotificationType, string, Parameters<typeof obsoleteReason>[2], string | undefined][] = [
    ['task.assigned', 'the task is theirs', task('assigned', ann), undefined],
    ['task.assigned', 'they have started it', task('in_progress', ann), undefined],
    ['task.assigned', 'its state is newer than this build', task('blocked', ann), undefined],
    ['task.assigned', 'another has it', task('assigned', ben), untrue.another],
    ['task.assigned', 'nobody has it', task('draft', null), untrue.nobody],
    ['task.assigned', 'it was completed', task('completed', ann), untrue.completed],
    ['task.assigned', 'it was cancelled', task('cancelled', ann), untrue.cancelled],
    ['task.assigned', 'it was deleted', deleted, untrue.deleted],
    ['task.unassigned', 'another has it', task('assigned', ben), undefined],
    ['task.unassigned', 'it is theirs again', task('assigned', ann), untrue.again],
    ['task.unassigned', 'it is theirs again and started', task('in_progress', ann), untrue.again],
    ['task.unassigned', 'it was theirs again and has ended', task('completed', ann), undefined],
    ['task.unassigned', 'it was deleted', deleted, undefined],
    ['task.completed', 'it was deleted', deleted, undefined],
    ['task.completed', 'it is completed', task('completed', ben), undefined],
    ['task.cancelled', 'it was deleted', deleted, undefined],
    ['task.cancelled', 'it is cancelled', task('cancelled', ann), undefined],
  ];
  for (const [type, how, now, reason] of cases) {
    it(`${type}, when ${how}: ${reason ?? 'still worth sending'}`, () => {
      expect(obsoleteReason(type, ann, now)).to.equal(reason);
    });
  }
});
