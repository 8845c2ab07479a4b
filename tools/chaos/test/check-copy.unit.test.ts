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
    expect(found()).to.deep.equal(['the copy has task gone, which is deleted or never existed']);
  });
});
