import { expect } from 'chai';
import type { ActivityRow, Evidence } from '../evidence.ts';
import { ann, brokenBy, mia, task } from './small-run.ts';

const blocker = 'task-2';
const at = (second: number) => `2026-11-20T10:00:${second}.000000Z`;

/** Ann's task waits for one of Mia's, which Mia then cancels. */
function waiting(run: Evidence): void {
  const [row] = run.world.tasks;
  const created = { ...row!, id: blocker, title: 't2', assignee_id: null, created_at: at(10) };
  run.world.tasks.push({ ...created, state: 'cancelled', version: 2, updated_at: at(12) });
  run.world.listedTasks.push({ ...created, state: 'cancelled', version: 2, updated_at: at(12) });
  run.world.blockers.push({ task_id: task, blocker_id: blocker });
  const entry = { actor_id: mia, field: null, from: null, to: null, reason: null };
  run.world.activity.push(
    { ...entry, task_id: blocker, seq: 10, action: 'created', created_at: at(10) },
    { ...entry, task_id: task, seq: 11, action: 'blocker_added', to: blocker, created_at: at(11) },
    { ...entry, task_id: blocker, seq: 12, action: 'cancelled', created_at: at(12) },
    { ...entry, task_id: task, seq: 13, action: 'unblocked', created_at: at(13) },
  );
  const events = [
    ['m-created', 'tasks.task.created', blocker, at(10), null],
    ['m-changed', 'tasks.task.changed', blocker, at(10).replace('000Z', '001Z'), null],
    ['m-added', 'tasks.task.blocker_added', task, at(11), null],
    ['m-cancelled', 'tasks.task.cancelled', blocker, at(12), null],
    ['m-unblocked', 'tasks.task.unblocked', task, at(13), ann],
  ] as const;
  for (const [index, [messageId, type, aggregateId, timestamp, named]] of events.entries()) {
    run.events.push({ messageId, type, aggregateId, timestamp, actor: mia, named });
    const received = { message_id: messageId, handler: 'notify', received_at: at(20 + index) };
    run.world.inbox.push({ service: 'notifications', ...received });
  }
  const notified = { id: 'n-unblocked', event_id: 'm-unblocked', user_id: ann, type: 'task.unblocked', task_id: task };
  run.world.notifications.push({ ...notified, created_at: at(25), is_in_app: true });
  const attempts = [{ began: 2_000, ended: 2_010, status: 204 }];
  const operation = { at: 2_000, actorId: mia, subjectId: null, replays: [], attempts };
  run.operations.push(
    { ...operation, n: 20, outcome: 'unknown', intent: { kind: 'create_task', actor: 'mia', task: 't2' } },
    {
      ...{ ...operation, n: 21, outcome: 'acknowledged', subjectId: task },
      intent: { kind: 'add_blocker', actor: 'mia', on: 't1', by: 't2' },
    },
    {
      ...{ ...operation, n: 22, outcome: 'unknown', subjectId: blocker },
      intent: { kind: 'transition', actor: 'mia', task: 't2', state: 'cancelled' },
    },
  );
}

const brokenAfter = (change: (run: Evidence) => void) =>
  brokenBy((run) => {
    waiting(run);
    change(run);
  });

const entryOf = ({ world }: Evidence, action: string): ActivityRow =>
  world.activity.find((entry) => entry.action === action)!;

describe('the checker, on tasks that wait', () => {
  it('accepts a task that was announced when its last blocker had ended', () => {
    expect(brokenAfter(() => undefined)).to.deep.equal([]);
  });

  it('finds a task that was announced twice, or not at all', () => {
    const twice = brokenAfter((run) => {
      run.world.activity.push({ ...entryOf(run, 'unblocked'), seq: 14, created_at: at(14) });
    });
    const never = brokenAfter(({ world }) => void world.activity.pop());
    for (const rules of [twice, never]) expect(rules).to.include('unblocked tasks are announced once');
  });

  it('finds a task that was started while it waited, and a parent that was completed before its sub-task', () => {
    const started = brokenAfter((run) => void (entryOf(run, 'started').created_at = at(11).replace('000Z', '500Z')));
    expect(started).to.include('blocked tasks wait');
    const completed = brokenAfter((run) => {
      run.world.tasks[1]!.parent_id = task;
      run.world.activity.push({ ...entryOf(run, 'started'), seq: 14, action: 'completed', created_at: at(11) });
    });
    expect(completed).to.include('blocked tasks wait');
  });

  it('finds a dependency that was acknowledged and lost, and one that no entry explains', () => {
    const lost = brokenAfter((run) => {
      entryOf(run, 'blocker_added').action = 'forgotten';
      run.world.blockers.pop();
    });
    expect(lost).to.include('acknowledged changes persist');
    const unexplained = brokenAfter(({ world }) => void world.blockers.push({ task_id: blocker, blocker_id: task }));
    expect(unexplained).to.include('acknowledged changes persist');
  });

  it('finds tasks that wait for each other', () => {
    const rules = brokenAfter(({ world }) => {
      world.tasks[1]!.state = 'draft';
      world.blockers.push({ task_id: blocker, blocker_id: task });
    });
    expect(rules).to.include('tasks do not wait for each other');
  });

  it('finds a sub-task that was left behind by the deletion of its parent', () => {
    const rules = brokenAfter(({ world }) => {
      world.tasks[1]!.parent_id = task;
      world.tasks[0]!.is_deleted = true;
    });
    expect(rules).to.include('acknowledged changes persist');
  });
});
