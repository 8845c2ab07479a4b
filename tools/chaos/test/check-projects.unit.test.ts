import { expect } from 'chai';
import { checkProjects } from '../check/projects.ts';
import type { Evidence, Operation } from '../evidence.ts';
import type { Intent } from '../workload/intent.ts';
import { smallRun } from './small-run.ts';

describe('The check for leaks across projects', () => {
  let run: Evidence;
  let member: string;
  let taskId: string;

  beforeEach(() => {
    run = smallRun();
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

  it('leaves out users who were managers or admins', () => {
    read(100);
    run.world.users = run.world.users.map((user) => ({ ...user, role: 'manager' }));
    expect(found()).to.deep.equal([]);
  });
});
