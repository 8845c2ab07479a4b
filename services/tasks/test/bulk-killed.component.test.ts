import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { programEnv, waitFor } from '@taskwire/testing';
import { call, type Task } from './support/api.ts';
import { freePort } from './support/free-port.ts';
import { tasksTeam, type Person, type TasksHarness } from './support/tasks-harness.ts';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const pairs = 50;

type Result = { status: number; body?: Task; problem?: { code: string } };

describe('A bulk request whose process is killed in the middle', () => {
  let harness: TasksHarness;
  let manager: Person;
  before(async () => ({ harness, manager } = await tasksTeam()));
  after(async () => await harness.stop());

  const counted = async (text: string) =>
    (await query<{ count: number }>(harness.database.db.pool, `SELECT count(*)::integer AS count ${text}`))[0]?.count;

  it('continues in another process with the same key, and carries out nothing twice', async () => {
    const port = await freePort();
    const env = { ...programEnv(), ...harness.environment({ PROCESS_ROLE: 'api', PORT: String(port) }) };
    const killed = spawn(process.execPath, [main], { stdio: 'ignore', env });
    const exited = once(killed, 'exit');
    const url = `http://127.0.0.1:${port}`;
    await waitFor(async () => (await fetch(`${url}/ready`)).ok, { timeoutMs: 30_000 });

    // each second operation is refused: a draft cannot be started
    const operations = Array.from({ length: pairs }, (_, pair) => [
      { op: 'create', body: { title: `Pair ${pair}` } },
      { op: 'transition', ref: `$${2 * pair}`, body: { state: 'in_progress' } },
    ]).flat();
    const request = {
      token: manager.token,
      headers: { 'idempotency-key': crypto.randomUUID() },
      body: { operations },
    };
    const interrupted = call(url, 'bulkTasks', request).catch((error: unknown) => error);
    const created = async () => (await counted('FROM tasks')) ?? 0;
    await waitFor(async () => (await created()) >= 10);
    killed.kill('SIGKILL');
    await exited;
    expect(await interrupted).to.be.an('error');
    const before = await created();
    expect(before).to.be.within(10, pairs - 1);
    const stored = await query<{ body: string }>(
      harness.database.db.pool,
      'SELECT response_body AS body FROM idempotency_keys WHERE status IS NOT NULL ORDER BY key',
    );
    expect(stored).to.have.length.of.at.least(before - 1);

    const answer = await harness.call('bulkTasks', request);
    const results = (answer.body as { data: Result[] }).data;
    expect(results.map(({ status }) => status)).to.deep.equal(Array.from({ length: pairs }, () => [201, 403]).flat());
    const ids = results.flatMap(({ body }) => body?.id ?? []);
    expect(new Set(ids).size).to.equal(pairs);
    expect(await created()).to.equal(pairs);
    expect(await counted("FROM task_activity WHERE action = 'created'")).to.equal(pairs);
    // the refusals from before the kill are repeated as they were, with the id of the first request
    const problems = results.flatMap(({ problem }) => (problem === undefined ? [] : [JSON.stringify(problem)]));
    expect(problems).to.include.members(stored.map(({ body }) => JSON.stringify(JSON.parse(body))));
    expect((await harness.call('bulkTasks', request)).body).to.deep.equal(answer.body);
  });
});
