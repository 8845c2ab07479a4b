import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInProcess } from '@taskwire/testing';
import { expect } from 'chai';
import { runLogs } from '../logs/run-logs.ts';

const task = '01a1fa18-4b82-7fe1-bc48-7791012fab82';
const otherTask = '01a1fa18-4b82-7fe1-bc48-000000000000';

let second = 0;
/** A line as a service logs it; each is a second later than the one before. */
const line = (service: string, message: string, fields: object = {}) =>
  JSON.stringify({
    timestamp: `2026-11-29T10:00:${String(second++).padStart(2, '0')}.000Z`,
    ...{ level: 'info', service, message, ...fields },
  });

describe('npm run logs', () => {
  let folder: string;
  beforeEach(() => {
    second = 0;
    folder = mkdtempSync(join(tmpdir(), 'taskwire-logs-test-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const log = (name: string, lines: readonly string[]): string => {
    const path = join(folder, `${name}.log`);
    writeFileSync(path, lines.map((one) => `${one}\n`).join(''));
    return path;
  };
  const run = async (args: string[], input = '') =>
    await runInProcess(async (process) => await runLogs({ ...process, folders: [folder, join(folder, 'absent')] }), {
      args,
      env: {},
      input,
    });
  const messagesOf = (stdout: string) =>
    stdout
      .split('\n')
      .filter((text) => text !== '')
      .map((text) => (JSON.parse(text) as { message: string }).message);

  /** A task's way through three services, and lines about other things. */
  function writeJourney(): void {
    const lines = [
      line('tasks', 'changed', { request_id: 'r1', task_id: task }),
      line('tasks', 'slow statement', { request_id: 'r1' }),
      line('tasks', 'another request', { request_id: 'r2', task_id: otherTask }),
      line('gateway', 'request', { request_id: 'r1', path: '/api/v1/tasks' }),
      line('notifications', 'will be retried', { message_id: 'm1', request_id: 'r1', task_id: task }),
      line('notifications', 'requeued', { message_id: 'm1' }),
      line('notifications', 'delivery attempt: sent', { request_id: 'r1', task_id: task }),
      line('gateway', 'read', { request_id: 'r3', path: `/api/v1/tasks/${task}/activity?limit=1` }),
      line('notifications', 'about no request'),
    ];
    for (const service of ['tasks', 'gateway', 'notifications'])
      log(service, [
        '2026-11-29 10:00:00 UTC [1] LOG:  not JSON',
        ...lines.filter((one) => one.includes(`"service":"${service}"`)),
      ]);
  }

  it('prints every line about a task, across the services, in order of time, and no other', async () => {
    writeJourney();
    const { code, stdout, stderr } = await run(['--task', task, '--json']);
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    expect(messagesOf(stdout)).to.deep.equal([
      'changed',
      'slow statement',
      'request',
      'will be retried',
      'requeued',
      'delivery attempt: sent',
      'read',
    ]);
  });

  it('prints every line about a request, also by the id that its caller sent, and what its messages caused', async () => {
    writeJourney();
    log('auth', [line('auth', 'log-in', { request_id: 'r9', client_request_id: 'mine' })]);
    const expected = ['changed', 'slow statement', 'request', 'will be retried', 'requeued', 'delivery attempt: sent'];
    expect(messagesOf((await run(['--request', 'r1', '--json'])).stdout)).to.deep.equal(expected);
    expect(messagesOf((await run(['--request', 'mine', '--json'])).stdout)).to.deep.equal(['log-in']);
  });

  it('finds ids in either case', async () => {
    writeJourney();
    log('gateway', [
      line('gateway', 'shouted', { task_id: task.toUpperCase(), path: `/api/v1/tasks/${task.toUpperCase()}` }),
      line('gateway', 'as a blocker', { task_id: otherTask, path: `/api/v1/tasks/x/blocked_by/${task.toUpperCase()}` }),
      line('gateway', 'from outside', { client_request_id: 'R1' }),
    ]);
    const [lower, upper] = await Promise.all(
      [task, task.toUpperCase()].map(async (id) => (await run(['--task', id, '--json'])).stdout),
    );
    expect(upper).to.equal(lower);
    expect(messagesOf(lower ?? '')).to.include.members(['changed', 'shouted', 'as a blocker']);
    expect(messagesOf((await run(['--request', 'R1', '--json'])).stdout)).to.include.members([
      'changed',
      'from outside',
    ]);
  });

  it('leaves out what a request about many tasks did to the others', async () => {
    log('tasks', [
      line('tasks', 'shuffle', { request_id: 'r1' }),
      line('tasks', 'one', { request_id: 'r1', task_id: task }),
      line('tasks', 'other', { request_id: 'r1', task_id: otherTask }),
    ]);
    expect(messagesOf((await run(['--task', task, '--json'])).stdout)).to.deep.equal(['shuffle', 'one']);
    expect(messagesOf((await run(['--request', 'r1', '--json'])).stdout)).to.deep.equal(['shuffle', 'one', 'other']);
  });

  it('prints the lines of a request about many tasks for each of them', async () => {
    log('tasks', [
      line('tasks', 'bulk', { task_ids: [otherTask, task] }),
      line('tasks', 'other bulk', { task_ids: [otherTask] }),
    ]);
    expect(messagesOf((await run(['--task', task, '--json'])).stdout)).to.deep.equal(['bulk']);
  });

  it('prints lines for people: service, time, level, message and the other fields', async () => {
    log('tasks', [line('tasks', 'changed', { task_id: task, job_id: '', request_id: 'r1' })]);
    const { stdout } = await run(['--task', task]);
    expect(stdout).to.equal(`tasks         10:00:00.000 info  changed task_id=${task} request_id=r1\n`);
  });

  it('reads given files and standard input, with the prefixes of docker compose and kubectl', async () => {
    const lines = [line('tasks', 'first', { task_id: task }), line('tasks', 'second', { task_id: task })];
    const file = log('production', [`tasks-1  | ${lines[1]}`, `[pod/auth-5d/auth] ${line('auth', 'unrelated')}`]);
    const { stdout } = await run(['--json', '--task', task, file, '-'], `[pod/tasks-7c/tasks] ${lines[0]}\r\n`);
    expect(messagesOf(stdout)).to.deep.equal(['first', 'second']);
  });

  it('passes over lines that are no log lines, whatever they contain', async () => {
    const noise = [
      '{',
      '{"a":',
      '[]',
      'null',
      '{}',
      '{"timestamp":5}',
      `\0\uFFFD{"task_id":"${task}"`,
      'x'.repeat(1e6),
    ];
    const odd = JSON.stringify({ timestamp: 'yesterday', message: 'no time', task_id: task, request_id: 7, path: [] });
    log('tasks', [...noise, line('tasks', 'sound', { task_id: task }), odd]);
    const { code, stdout } = await run(['--task', task, '--json']);
    expect(code).to.equal(0);
    expect(messagesOf(stdout)).to.deep.equal(['sound', 'no time']);
  });

  it('exits with 1 if nothing is found, and names the subject and how much was read', async () => {
    writeJourney();
    const { code, stdout, stderr } = await run(['--task', otherTask.replaceAll('0', '9')]);
    expect({ code, stdout }).to.deep.equal({ code: 1, stdout: '' });
    expect(stderr).to.equal('No line of 3 logs is about the task 91a1fa18-4b82-7fe1-bc48-999999999999.\n');
  });

  const refusals: [string, string[], number, RegExp][] = [
    ['without an id', [], 2, /^Give the id of a task/],
    ['with both ids', ['--task', task, '--request', 'r1'], 2, /^Give the id of a task/],
    ['with an empty id', ['--task', ' '], 2, /^Give the id of a task/],
    ['with the id of no task', ['--task', `${task}0`], 2, /^--task must be the id of a task, such as .*, not "01a1/],
    ['with the id of no request', ['--request', 'r 1'], 2, /^--request must be the id of a request: .*, not "r 1"/],
    ['with an option without its value', ['--task'], 2, /argument missing/],
    ['with an unknown option', ['--tasks', task], 2, /unknown option '--tasks'/],
    ['with a file that does not exist', ['--task', task, 'absent.log'], 1, /no such file/],
    ['with a folder', ['--task', task, tmpdir()], 1, /is a folder; name its files/],
    ['when no logs exist', ['--task', task], 1, /have no logs; run npm start, or name the files/],
  ];
  for (const [what, args, expected, reason] of refusals) {
    it(`refuses to run ${what}, with the remedy`, async () => {
      const { code, stdout, stderr } = await run(args);
      expect({ code, stdout }).to.deep.equal({ code: expected, stdout: '' });
      expect(stderr)
        .to.match(reason)
        .and.not.to.match(/^\s+at /m);
    });
  }

  it('explains itself with --help', async () => {
    const { code, stdout } = await run(['--help']);
    expect(code).to.equal(0);
    expect(stdout).to.include('--task <id>').and.include('standard input');
  });
});
