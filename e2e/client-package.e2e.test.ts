import { execFile } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { authCommand } from './auth-command.ts';
import { demoPerson, type Task } from './front-end.ts';
import { example, folderWith, linesInReadme } from './packed-packages.ts';
import { useSuite } from './suite.ts';

const run = promisify(execFile);

describe('The packed client in an empty folder', function () {
  this.timeout(60_000);
  const suite = useSuite();
  let folder: string;

  before(async () => {
    folder = await folderWith('client');
  });
  after(() => rmSync(folder, { recursive: true }));

  /** Runs a program in the folder; resolves with what it prints. */
  async function program(name: string, text: string, env: Record<string, string> = {}): Promise<string> {
    writeFileSync(join(folder, name), text);
    const { PATH = '' } = process.env;
    const { stdout } = await run(process.execPath, [name], { cwd: folder, env: { PATH, ...env } });
    return stdout;
  }

  it("logs in, creates and lists tasks with the README's lines, and survives a killed Tasks", async () => {
    const lines = linesInReadme('client');
    expect(lines.split('\n').filter((line) => line !== '')).to.have.length.within(8, 12);
    const title = `Paint the fence ${Date.now()}`;
    const text = lines.replace('http://localhost:8080', suite().url).replace('Paint the fence', title);
    expect(text).to.include(suite().url);

    await suite().process('tasks').kill();
    const printing = program('readme.js', text);
    // the first attempts find no Tasks
    await new Promise((resolve) => setImmediate(resolve));
    await suite().process('tasks').start();
    expect(await printing).to.include(title);
    const manager = await demoPerson(suite(), 'manager');
    const { body } = await manager.call<{ data: Task[] }>('GET', '/api/v1/tasks?state=cancelled&limit=100');
    expect(body.data.filter((task) => task.title === title)).to.have.lengthOf(1);
  });

  it('creates tasks from a file with the example script', async () => {
    const script = example('node-script/import-tasks.js');
    const stamp = Date.now();
    writeFileSync(join(folder, 'tasks.txt'), `Sweep ${stamp}\nDust ${stamp}\n`);
    const env = { TASKWIRE_URL: suite().url };
    expect(await program('import-tasks.js', script, env))
      .to.include(`Sweep ${stamp}`)
      .and.include('2 created');
    // importing the same lines again creates no new tasks
    await program('import-tasks.js', script, env);
    const manager = await demoPerson(suite(), 'manager');
    const { body } = await manager.call<{ data: Task[] }>('GET', '/api/v1/tasks?limit=100');
    expect(body.data.filter((task) => task.title.endsWith(` ${stamp}`))).to.have.lengthOf(2);
  });

  it('reads a task for a service with the example of machine-to-machine tokens', async () => {
    const manager = await demoPerson(suite(), 'manager');
    const { body: task } = await manager.call<Task>('POST', '/api/v1/tasks', { title: 'For a service' });
    const made = await authCommand(
      suite(),
      ...['client', 'add', '--id', 'example-reports', '--secret', '--grant', 'urn:taskwire:tasks=tasks:read'],
    );
    const secret = /[\w-]{32,}/.exec(made)?.[0] ?? '';
    const service = example('m2m-service/report.js');
    const printed = await program('report.js', service, {
      TASKWIRE_URL: suite().url,
      TASKS_URL: suite().serviceUrl('tasks'),
      CLIENT_SECRET: secret,
      TASK_ID: task.id,
    });
    expect(printed).to.include('For a service').and.include('draft');
  });
});
