import { expect } from 'chai';
import { runInProcess } from '@taskwire/testing';
import { imageEnvironment } from '../image-environment.ts';
import { runCommand } from '../run-command.ts';

describe("the operators' commands in the image of a service", () => {
  it("use the database of the container's service", () => {
    const env = { TASKWIRE_SERVICE: 'tasks', DATABASE_URL: 'postgres://tasks@db/taskwire_tasks' };
    expect(imageEnvironment(env)).to.deep.equal({ ...env, TASKS_DATABASE_URL: env.DATABASE_URL });
  });

  it('leave the environment of any other process unchanged', () => {
    expect(imageEnvironment({ DATABASE_URL: 'postgres://db/x' })).to.deep.equal({ DATABASE_URL: 'postgres://db/x' });
    expect(imageEnvironment({ TASKWIRE_SERVICE: 'tasks' })).to.deep.equal({ TASKWIRE_SERVICE: 'tasks' });
  });

  it('have the name of the program in their usage lines', async () => {
    const { stdout } = await runInProcess((process) => runCommand({ program: 'taskwire', ...process }), {
      args: ['dead-letters', 'show', '--help'],
      env: {},
    });
    expect(stdout).to.match(/^Usage: taskwire dead-letters show /);
  });
});
