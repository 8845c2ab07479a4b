import { expect } from 'chai';
import { checkProjects } from '../check/projects.ts';
import type { Evidence, Operation } from '../evidence.ts';
import type { Intent } from '../workload/intent.ts';
import { brokenBy, smallRun, task } from './small-run.ts';

describe('The check for leaks across projects', () => {
  let run: Evidence;
  let member: string;
  let taskId: string;

  beforeEach(() => {
    run = smallRun();
    // the task is created before the traffic begins
    run.trafficBegan += 10_000;
    run.events = [];
    run.world.notifications = [];
    member = run.world.users.find(({ role }) => role === 'member')?.id ?? '';
    const [task] = run.world.tasks;
    taskId = task?.id ?? '';
    run.world.tasks = run.world.tasks.map((one) => ({ ...one, project_id: 'garden' }));
    run.operations = [];
    add({ kind: 'create_project', actor: 'admin', project: 'p1' }, { at: 0, actorId: 'ada', answer: { id: 'garden' } });
  });

  const add = (
    intent: Intent,
    o: { at: number; until?: number; outcome?: Operation['outcome'] } & Partial<Operation>,
  ) => {
    const { at, until = at + 10, outcome = 'acknowledged', ...more } = o;
    const attempts = [{ began: at, ended: until, status: outcome === 'acknowledged' ? 200 : null }];
    const base = { n: run.operations.length, at, actorId: 'ada', subjectId: null, replays: [] };
    run.operations.push({ ...base, intent, attempts, outcome, ...more });
  };
  const set = (at: number, more: Partial<Operation> & { until?: number } = {}) =>
    add(
      { kind: 'set_member', actor: 'admin', project: 'p1', member: 'u1', role: 'viewer' },
      { at, subjectId: member, ...more },
    );
  const remove = (at: number, more: Partial<Operation> & { until?: number } = {}) =>
    add({ kind: 'remove_member', actor: 'admin', project: 'p1', member: 'u1' }, { at, subjectId: member, ...more });
  const read = (at: number, answer: Operation['answer'] = { id: taskId }) =>
    add({ kind: 'read_task', actor: 'u1', task: 't1' }, { at, actorId: member, answer });
  const found = () => checkProjects(run).map(({ what }) => what);

  it('finds a task that was shown before its reader joined, or after they left', () => {
    read(100);
    set(200);
    read(300);
    expect(found()).to.have.length(1);
    remove(400);
    read(500, { ids: ['other', taskId] });
    expect(found()).to.have.length(2);
  });

  it('finds nothing while the reader may have been a member', () => {
    set(100);
    read(200);
    remove(300, { until: 500 });
    read(400);
    set(600, { outcome: 'unknown' });
    read(700);
    expect(found()).to.deep.equal([]);
  });

  it('takes the project of the version that was shown', () => {
    moveOut();
    set(100);
    remove(200);
    read(300, { id: taskId, version: 3 });
    expect(found()).to.deep.equal([]);
    read(400, { id: taskId, version: 2 });
    expect(found()).to.have.length(1);
    read(500, { ids: ['other', taskId], versions: [1, 2] });
    expect(found()).to.have.length(2);
  });

  it('takes every project in which the task may have been at the time, when no version was shown', () => {
    moveOut();
    add({ kind: 'add_comment', actor: 'u1', on: 't1', comment: 'c1', mentions: [] }, { ...commented, at: 700 });
    expect(found()).to.have.length(1);
    // a response shows the move after 1 s
    add({ kind: 'add_comment', actor: 'u1', on: 't1', comment: 'c2', mentions: [] }, { ...commented, at: 1_000 });
    expect(found()).to.have.length(1);
  });

  it('finds entries and earlier states from a time in a project which the reader of today could not read then', () => {
    moveOut();
    const at = (second: number) => `2026-11-20T10:00:${second}.000000Z`;
    const of = { actorId: member, subjectId: taskId };
    const readLog = (...entryTimes: string[]) =>
      add({ kind: 'read_activity', actor: 'u1', of: 't1' }, { ...of, at: 2_000, answer: { entryTimes } });
    readLog(at(11));
    expect(found()).to.deep.equal([]);
    readLog(at(10), at(11));
    expect(found()).to.have.length(1);
    add({ kind: 'read_past', actor: 'u1', of: 't1' }, { ...of, at: 2_100, answer: { id: taskId, version: 1 } });
    expect(found()).to.have.length(2);
  });

  it('finds a past that was shown to a reader who may not read the task now', () => {
    add({ kind: 'read_past', actor: 'u1', of: 't1' }, { actorId: member, subjectId: taskId, at: 100 });
    expect(found()).to.have.length(1);
  });

  it('finds a notification with a text for a user who could not read the task since the event', () => {
    const event = { messageId: 'm1', type: 'tasks.task.assigned', aggregateId: taskId, actor: null, named: member };
    run.events = [{ ...event, timestamp: '2026-11-20T10:00:11.000000Z' }];
    const notification = { id: 'n1', event_id: 'm1', user_id: member, type: 'task.assigned', task_id: taskId };
    run.world.notifications = [{ ...notification, created_at: '2026-11-20T10:00:12.000000Z', is_in_app: true }];
    expect(found()).to.have.length(1);
    run.world.notifications[0]!.is_in_app = false;
    expect(found()).to.deep.equal([]);
    run.world.notifications[0]!.is_in_app = true;
    set(1_500);
    expect(found()).to.deep.equal([]);
  });

  /** After a second of traffic, the task leaves its project; the response arrives later. */
  const moveOut = () => {
    const entry = { ...run.world.activity[0]!, seq: 4, action: 'changed', field: 'project_id' };
    run.world.activity.push({ ...entry, from: 'garden', to: null, created_at: '2026-11-20T10:00:11.000000Z' });
    run.world.tasks = run.world.tasks.map((one) => ({ ...one, project_id: null, version: 3 }));
    const answer = { id: taskId, version: 3, project_id: null };
    const intent = { kind: 'move_to_project', actor: 'mia', task: 't1', into: null } as const;
    add(intent, { at: 990, until: 1_100, actorId: 'mia', subjectId: taskId, answer });
  };
  const commented = { actorId: '', subjectId: '', answer: { id: 'c1', version: 1 } };
  beforeEach(() => void Object.assign(commented, { actorId: member, subjectId: taskId }));

  it('leaves out users who were managers or admins', () => {
    read(100);
    run.world.users = run.world.users.map((user) => ({ ...user, role: 'manager' }));
    expect(found()).to.deep.equal([]);
  });
});

describe('the checker, on moves between projects', () => {
  /** A request to move the task to no project, where it is already. */
  const moved = (run: Evidence) => {
    const attempts = [{ began: 500, ended: 510, status: 200 }];
    const intent = { kind: 'move_to_project', actor: 'mia', task: 't1', into: null } as const;
    const [first, started] = [run.operations[1]!, run.operations[2]!];
    run.operations.push({
      ...first,
      n: 9,
      intent,
      subjectId: task,
      attempts,
      answer: { ...started.answer, project_id: null },
    });
    return run.operations.at(-1)!;
  };

  it('accepts a task that is where its move says', () => {
    expect(brokenBy((run) => void moved(run))).to.deep.equal([]);
  });

  it('finds a response with another project than that of its version, and than that of the request', () => {
    const rules = brokenBy((run) => void (moved(run).answer!.project_id = 'garden'));
    expect(rules).to.deep.equal(['acknowledged changes persist']);
    const elsewhere = brokenBy((run) => {
      const operation = moved(run);
      operation.intent = { kind: 'move_to_project', actor: 'mia', task: 't1', into: 'p1' };
      const created = { kind: 'create_project', actor: 'mia', project: 'p1' } as const;
      run.operations.push({ ...operation, n: 10, intent: created, answer: { id: 'garden' } });
    });
    expect(elsewhere).to.deep.equal(['acknowledged changes persist']);
  });

  it('finds a move that happened twice, or although it was refused', () => {
    const twice = (outcome: Operation['outcome']) =>
      brokenBy((run) => {
        moved(run).outcome = outcome;
        const entry = { ...run.world.activity[0]!, action: 'changed', field: 'project_id', from: 'garden', to: null };
        run.world.activity.push(
          { ...entry, actor_id: run.operations.at(-1)!.actorId, seq: 4, created_at: '2026-11-20T10:00:05.000000Z' },
          { ...entry, actor_id: run.operations.at(-1)!.actorId, seq: 5, created_at: '2026-11-20T10:00:06.000000Z' },
        );
      });
    expect(twice('acknowledged')).to.include('nothing happens twice');
    expect(twice('refused')).to.include('refused requests have no effect');
  });

  it('finds a tree of which a part was left behind', () => {
    const rules = brokenBy(({ world }) => {
      const [row] = world.tasks;
      world.tasks.push({ ...row!, id: 'below', parent_id: task, project_id: 'garden' });
    });
    expect(rules).to.include('a tree of tasks is in one project');
  });
});
