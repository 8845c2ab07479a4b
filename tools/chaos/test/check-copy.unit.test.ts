import { expect } from 'chai';
import { checkCopy } from '../check/copy.ts';
import type { CopiedTask, Evidence } from '../evidence.ts';
import { smallRun } from './small-run.ts';

describe('The check of a copy that only reads the sync feed', () => {
  let run: Evidence;
  let copied: CopiedTask[];

  beforeEach(() => {
    run = smallRun();
    copied = run.world.tasks.filter((task) => !task.is_deleted).map((task) => ({ ...task }));
    run.world.copiedTasks = copied;
  });
  const found = () => checkCopy(run).map(({ what }) => what);

  it('finds nothing in a copy of the living tasks, nor in a run without a copy', () => {
    expect(copied).not.to.deep.equal([]);
    expect(found()).to.deep.equal([]);
    delete run.world.copiedTasks;
    expect(found()).to.deep.equal([]);
  });

  it('finds a task that is missing, has another state, or is deleted', () => {
    const [task] = copied.splice(0, 1) as [CopiedTask];
    expect(found()).to.deep.equal([`the copy lacks task ${task.id}`]);
    copied.push({ ...task, version: task.version - 1 });
    expect(found()[0]).to.match(/another version/);
    copied[copied.length - 1] = task;
    copied.push({ ...task, id: 'gone' });
    expect(found()).to.deep.equal([
      'the copy has task gone (project null), which is deleted, not readable, or never existed',
    ]);
  });

  it('compares the copy of a member with the tasks that they may read', () => {
    run.world.users.push({ ...run.world.users[0]!, id: 'reader', email: 'follower@chaos.test' });
    run.world.tasks = run.world.tasks.map((task) => ({ ...task, project_id: 'garden' }));
    delete run.world.copiedTasks;
    const tasks = run.world.tasks.map((task) => ({ ...task }));
    run.world.memberCopy = { tasks, counts: { removed: 0, gained: 0, lost: 0 } };
    expect(found().join()).to.match(/the copy of a member has task .* \(project garden\)/);
    run.world.members.push({ project_id: 'garden', user_id: 'reader', role: 'viewer' });
    expect(found()).to.deep.equal([]);
    tasks.pop();
    expect(found().join()).to.match(/the copy of a member lacks task/);
  });
});
