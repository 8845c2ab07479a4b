import { expect } from 'chai';
import type { NotificationType } from '../src/app/notification-types.ts';
import { mayRead, obsoleteReason } from '../src/app/recheck.ts';

const [ann, ben] = ['ann', 'ben'];
const task = (state: string, assigneeId: string | null) =>
  ({ kind: 'task', title: 'Paint the fence', state, assigneeId, readers: null }) as const;
const due = { at: '2026-11-30T17:00:00.000000Z', timeZone: null, isAllDay: false };
const dueAt = (at: string | null | undefined, state = 'assigned') => ({ ...task(state, ann), dueAt: at });
const deleted = { kind: 'deleted', title: 'Paint the fence', readers: null } as const;
/** The task is in a project that Ann has left. */
const hidden = { readers: [ben] };
const untrue = {
  deleted: 'the task was deleted',
  completed: 'the task was completed',
  cancelled: 'the task was cancelled',
  unassigned: 'the task is no longer assigned to anyone',
  another: 'the task is assigned to someone else',
  moved: 'the task has another due date',
  undated: 'the task has no due date any more',
  again: 'the task is assigned to the recipient again',
  unreadable: 'the recipient may no longer read the task',
};

type Case = [NotificationType, string, Parameters<typeof obsoleteReason>[1], string | undefined];

describe('The reason why a waiting notification is obsolete', () => {
  const cases: Case[] = [
    ['task.assigned', 'the task is assigned to the recipient', task('assigned', ann), undefined],
    ['task.assigned', 'the recipient has started it', task('in_progress', ann), undefined],
    ['task.assigned', 'its state is newer than this build', task('blocked', ann), undefined],
    ['task.assigned', 'the recipient has left its project', { ...task('assigned', ann), ...hidden }, untrue.unreadable],
    [
      'task.unassigned',
      'the recipient has left its project',
      { ...task('assigned', ben), ...hidden },
      untrue.unreadable,
    ],
    [
      'task.cancelled',
      'it was deleted in a project that the recipient has left',
      { ...deleted, ...hidden },
      untrue.unreadable,
    ],
    ['task.assigned', 'the recipient is in its project', { ...task('assigned', ann), readers: [ann] }, undefined],
    ['task.assigned', 'it is assigned to another user', task('assigned', ben), untrue.another],
    ['task.assigned', 'it is not assigned to anyone', task('draft', null), untrue.unassigned],
    ['task.assigned', 'it was completed', task('completed', ann), untrue.completed],
    ['task.assigned', 'it was cancelled', task('cancelled', ann), untrue.cancelled],
    ['task.assigned', 'it was deleted', deleted, untrue.deleted],
    ['task.unblocked', 'the task is assigned to the recipient', task('assigned', ann), undefined],
    ['task.unblocked', 'it is assigned to another user', task('assigned', ben), untrue.another],
    ['task.unblocked', 'it was completed', task('completed', ann), untrue.completed],
    ['task.unassigned', 'it is assigned to another user', task('assigned', ben), undefined],
    ['task.unassigned', 'it is assigned to the recipient again', task('assigned', ann), untrue.again],
    ['task.unassigned', 'it is assigned to the recipient again and started', task('in_progress', ann), untrue.again],
    ['task.unassigned', 'it was assigned to the recipient again and has ended', task('completed', ann), undefined],
    ['task.unassigned', 'it was deleted', deleted, undefined],
    ['task.completed', 'it was deleted', deleted, undefined],
    ['task.completed', 'it is completed', task('completed', ben), undefined],
    ['task.cancelled', 'it was deleted', deleted, undefined],
    ['task.cancelled', 'it is cancelled', task('cancelled', ann), undefined],
    ...(['task.due_soon', 'task.overdue'] as const).flatMap((type): Case[] => [
      [type, 'the task is still due then', dueAt(due.at), undefined],
      [type, 'its due date is not known', dueAt(undefined), undefined],
      [type, 'it is due at another time', dueAt('2026-11-30T17:00:00.000001Z'), untrue.moved],
      [type, 'it has no due date', dueAt(null), untrue.undated],
      [type, 'it was completed', dueAt(due.at, 'completed'), untrue.completed],
      [type, 'it was cancelled', dueAt(due.at, 'cancelled'), untrue.cancelled],
      [type, 'it was deleted', deleted, untrue.deleted],
    ]),
  ];
  for (const [type, how, now, reason] of cases) {
    it(`is "${reason ?? 'none'}" for ${type} if ${how}`, () => {
      const isReadable = mayRead(now, { id: ann, isLeader: false });
      expect(obsoleteReason({ type, userId: ann, templateData: { due }, isReadable }, now)).to.equal(reason);
    });
  }
});
