import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import pg from 'pg';
import { demoPerson, send, type Person } from './front-end.ts';
import { registerWorker, tokenOfWorker } from './registered-worker.ts';
import { useSuite } from './suite.ts';

const leaseMs = 15_000;
/** Two processes load their code on a busy machine. */
const startTime = { timeoutMs: 90_000 };

type Started = { started: string; fence: number; at: number };

describe('Workers that are killed, and Tasks killed while they work', function () {
  this.timeout(300_000);
  const suite = useSuite();
  const children: ChildProcess[] = [];
  let manager: Person;

  before(async () => {
    manager = await demoPerson(suite(), 'manager');
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  /** Registers a worker for a queue of its own, which has the same name. */
  const register = async (queue: string) => ({ queue, secret: await registerWorker(suite(), queue, queue) });

  function startWorker({ queue, secret }: { queue: string; secret: string }): {
    child: ChildProcess;
    started: Started[];
  } {
    const program = fileURLToPath(new URL('worker-at-work.ts', import.meta.url));
    const child = fork(program, [suite().url, queue, secret, queue], { execArgv: ['--no-warnings'] });
    children.push(child);
    const started: Started[] = [];
    child.on('message', (message: Omit<Started, 'at'> | 'ready') => {
      if (message !== 'ready') started.push({ ...message, at: performance.now() });
    });
    return { child, started };
  }

  async function enqueue(queue: string, kind: string, count: number): Promise<string[]> {
    const jobs = Array.from({ length: count }, () => ({ queue, kind }));
    const { status, body } = await manager.call('POST', '/api/v1/jobs/batch', { jobs });
    expect(status).to.equal(200);
    return body.data.map(({ id }: { id: string }) => id);
  }

  /** The attempts of jobs, as the database has them. */
  async function attemptsOf(ids: readonly string[]): Promise<{ job_id: string; outcome: string; fence: string }[]> {
    const database = new pg.Client({ connectionString: suite().databaseUrl('tasks') });
    await database.connect();
    try {
      const text = 'SELECT job_id, outcome, fence FROM job_attempts WHERE job_id = ANY ($1) ORDER BY fence';
      return (await database.query(text, [ids])).rows;
    } finally {
      await database.end();
    }
  }

  it('run a job of a killed worker again within its lease and a second, and complete it once', async () => {
    const registered = await register('drill-kill');
    const first = startWorker(registered);
    const [id = ''] = await enqueue(registered.queue, 'wait', 1);
    await waitFor(() => first.started.length === 1, startTime);
    // a worker that waits for a job shows signs of life
    const second = startWorker(registered);
    await once(second.child, 'message');
    const killedAt = performance.now();
    first.child.kill('SIGKILL');
    await once(first.child, 'exit');
    await waitFor(() => second.started.length === 1, startTime);
    const [again] = second.started;
    expect(again?.started).to.equal(id);
    // a busy machine may take a second more
    expect(again!.at - killedAt).to.be.below(leaseMs + 2_000);

    const token = await tokenOfWorker(suite(), registered.queue, registered.secret);
    const lease_token = `${id}.${first.started[0]?.fence}`;
    const late = await send(suite().url, 'POST', `/api/v1/jobs/${id}/complete`, { token, body: { lease_token } });
    expect([late.status, late.body.code]).to.deep.equal([409, 'lease_lost']);

    second.child.send('end');
    const job = await waitFor(async () => {
      const { body } = await manager.call('GET', `/api/v1/jobs/${id}`);
      return body.state === 'succeeded' && body;
    });
    expect(job.result).to.deep.equal({ fence: again?.fence });
    const attempts = await attemptsOf([id]);
    expect(attempts.filter(({ outcome }) => outcome === 'completed')).to.have.lengthOf(1);
    expect(attempts.at(-1)).to.include({ outcome: 'completed', fence: String(again?.fence) });
  });

  it('complete each job once although Tasks is killed while they run', async () => {
    const registered = await register('drill-tasks');
    const { started } = startWorker(registered);
    const ids = await enqueue(registered.queue, 'work', 60);
    for (const count of [8, 25]) {
      await waitFor(() => started.length >= count, startTime);
      await suite().process('tasks').kill();
      await suite().process('tasks').start();
    }
    await waitFor(
      async () => {
        const states = await Promise.all(
          ids.map(async (id) => (await manager.call('GET', `/api/v1/jobs/${id}`)).body.state),
        );
        return states.every((state) => state === 'succeeded');
      },
      { timeoutMs: 90_000 },
    );
    const attempts = await attemptsOf(ids);
    expect(attempts.filter(({ outcome }) => outcome === 'completed')).to.have.lengthOf(ids.length);
    expect(
      attempts.filter(({ outcome }) => outcome !== 'completed'),
      'no lease was lost',
    ).to.deep.equal([]);
    expect(started.map((job) => job.started)).to.have.members(ids);
  });
});
