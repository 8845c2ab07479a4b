import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { demoPerson, newMember } from './front-end.ts';
import { example, folderWith, linesInReadme } from './packed-packages.ts';
import { registerWorker } from './registered-worker.ts';
import { useSuite } from './suite.ts';

describe('The packed worker in an empty folder', function () {
  // building two packages takes about 10 s of processor time, and minutes on a machine that is busy with other things
  this.timeout(240_000);
  const suite = useSuite();
  let folder: string;
  let secret: string;

  before(async () => {
    folder = await folderWith('client', 'worker');
    secret = await registerWorker(suite(), 'example-worker', 'reports');
  });
  after(() => rmSync(folder, { recursive: true }));

  /** Runs a program until it has printed a text, then ends it as an operator does. Resolves with its signal and what it printed. */
  async function runUntil(text: string, name: string, program: string): Promise<{ signal: unknown; printed: string }> {
    writeFileSync(join(folder, name), program);
    const { PATH = '' } = process.env;
    const env = { PATH, TASKWIRE_URL: suite().url, CLIENT_ID: 'example-worker', CLIENT_SECRET: secret };
    const child = spawn(process.execPath, [name], { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] });
    let printed = '';
    child.stdout.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
      if (printed.includes(text)) child.kill('SIGTERM');
    });
    const [, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    return { signal, printed };
  }

  it("carries out a job with the README's lines", async () => {
    const lines = linesInReadme('worker');
    expect(lines.split('\n').filter((line) => line !== '')).to.have.length.within(8, 14);
    const manager = await demoPerson(suite(), 'manager');
    const enqueued = await manager.call('POST', '/api/v1/jobs', {
      queue: 'reports',
      kind: 'greet',
      payload: { name: 'Ann' },
    });
    const text = lines.replace('http://localhost:8080', suite().url);
    expect(text).to.include(suite().url);
    const { signal, printed } = await runUntil('job_settled', 'readme.js', text);
    expect(signal, printed).to.equal('SIGTERM');
    const { body } = await manager.call('GET', `/api/v1/jobs/${enqueued.body.id}`);
    expect(body).to.deep.include({ state: 'succeeded', result: { greeting: 'Hello, Ann!' } });
  });

  it('renders a report with the example', async () => {
    const manager = await demoPerson(suite(), 'manager');
    const { user } = await newMember(suite());
    for (const title of ['Sweep', 'Say "hello"', '=1+1'])
      await manager.call('POST', '/api/v1/tasks', { title, assignee_id: user.id });
    const job = { queue: 'reports', kind: 'task_report', payload: { user: user.id } };
    const enqueued = await manager.call('POST', '/api/v1/jobs', job);
    const { signal, printed } = await runUntil('job_settled', 'report-worker.js', example('worker/report-worker.js'));
    expect(signal, printed).to.equal('SIGTERM');
    const { body } = await manager.call('GET', `/api/v1/jobs/${enqueued.body.id}`);
    const file = join('reports', `${body.id}.csv`);
    expect(body, printed).to.deep.include({ state: 'succeeded', result: { file, rows: 3 } });
    const rows = readFileSync(join(folder, file), 'utf8').trim().split('\r\n');
    expect(rows[0]).to.equal('"id","title","state","priority","due_at","created_at","updated_at"');
    const titles = rows.slice(1).map((row) => row.split('","')[1]);
    expect(titles).to.have.members(['Sweep', 'Say ""hello""', "'=1+1"]);
    expect(readdirSync(join(folder, 'reports')), 'no unfinished file').to.deep.equal([`${body.id}.csv`]);
  });
});
