import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { query } from '@taskwire/postgres';
import { programEnv, waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import { scheduleTools, type Schedule } from '../support/schedules.ts';
import { tasksHarness, type Person, type TasksHarness } from '../support/tasks-harness.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** An hour of occurrences of ten schedules, which a worker needs several seconds to decide. */
const minutes = 60;
const kills = 8;

describe('Schedules whose worker is killed and restarted', function () {
  this.timeout(180_000);
  let harness: TasksHarness;
  let tools: ReturnType<typeof scheduleTools>;
  let ann: Person;
  let running: ChildProcess | undefined;

  before(async () => {
    harness = await tasksHarness({ PROCESS_ROLE: 'api' });
    tools = scheduleTools(harness);
    ann = await harness.join('Ann', 'member');
  });
  after(async () => {
    await kill();
    await harness.stop();
  });

  function start(): void {
    const env = { ...programEnv(), ...harness.environment({ PROCESS_ROLE: 'worker' }) };
    running = spawn(process.execPath, [main], { stdio: 'ignore', env });
  }

  async function kill(): Promise<void> {
    if (running === undefined) return;
    const ended = once(running, 'exit');
    running.kill('SIGKILL');
    await ended;
    running = undefined;
  }

  const count = async (text: string): Promise<number> =>
    Number((await query<{ count: string }>(harness.database.db.pool, text))[0]?.count);

  it('create one task for each nominal instant, and none twice', async () => {
    const schedules: Schedule[] = [];
    for (let made = 0; made < 10; made++) {
      schedules.push(await tools.everyMinute(ann, -minutes, { catch_up: 'all', overlap: 'allow' }));
    }
    for (let round = 0; round < kills; round++) {
      start();
      const before = await count('SELECT count(*) FROM schedule_occurrences');
      // killed while it works, unless everything is done
      await waitFor(
        async () =>
          (await count('SELECT count(*) FROM schedule_occurrences')) > before ||
          (await count('SELECT count(*) FROM schedules WHERE due_at <= now()')) === 0,
        { timeoutMs: 20_000 },
      );
      await kill();
    }
    start();
    await waitFor(async () => (await count('SELECT count(*) FROM schedules WHERE due_at <= now()')) === 0, {
      timeoutMs: 60_000,
    });
    await kill();
    for (const schedule of schedules) {
      const rows = await tools.rows(schedule);
      const first = rows[0]?.minutes ?? 0;
      expect(rows.map((row) => row.minutes - first)).to.deep.equal([...rows.keys()]);
      expect(rows.length).to.be.at.least(minutes);
      expect(new Set(rows.map(({ state }) => state))).to.deep.equal(new Set(['ran']));
    }
    const [tasks, occurrences] = [
      await count('SELECT count(*) FROM tasks'),
      await count('SELECT count(*) FROM schedule_occurrences'),
    ];
    expect(tasks).to.equal(occurrences);
    expect(await count('SELECT count(DISTINCT task_id) FROM schedule_occurrences')).to.equal(tasks);
  });
});
