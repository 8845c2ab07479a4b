import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { programEnv } from '@taskwire/testing';
import { scheduleTools, type Schedule } from '../support/schedules.ts';
import { tasksHarness, type Person, type TasksHarness } from '../support/tasks-harness.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

describe('The scheduler', () => {
  let harness: TasksHarness;
  let tools: ReturnType<typeof scheduleTools>;
  let manager: Person;
  let ann: Person;

  before(async () => {
    harness = await tasksHarness({ PROCESS_ROLE: 'api' });
    tools = scheduleTools(harness);
    manager = await harness.join('Mona', 'manager');
    ann = await harness.join('Ann', 'member');
  });
  after(async () => await harness.stop());

  const run = async (sql: string, values: unknown[] = []) =>
    await query<Record<string, unknown>>(harness.database.db.pool, sql, values);

  it('runs each occurrence once, although two processes look for it at the same time', async () => {
    const other = await harness.replica({ PROCESS_ROLE: 'api' });
    const schedules: Schedule[] = [];
    for (let count = 0; count < 30; count++) schedules.push(await tools.everyMinute(ann, 0, { overlap: 'allow' }));
    await Promise.all(
      [harness.service, other, harness.service, other].map(async (service) => await tools.run(service)),
    );
    const states = await Promise.all(schedules.map(async (schedule) => await tools.states(schedule)));
    // a schedule runs again if a minute ends during the rounds
    for (const each of states) {
      expect(each).not.to.deep.equal([]);
      expect(each.filter((state) => state !== 'ran')).to.deep.equal([]);
    }
    const [counts] = await run(
      'SELECT count(*)::integer AS tasks FROM tasks WHERE id IN (SELECT task_id FROM schedule_occurrences)',
    );
    expect(counts).to.deep.equal({ tasks: states.flat().length });
  });

  for (const table of ['tasks', 'task_activity', 'schedule_occurrences', 'outbox']) {
    it(`leaves nothing of an occurrence when its transaction ends after the insert into ${table}, and runs it later`, async () => {
      const schedule = await tools.everyMinute(ann, 0, { overlap: 'allow' });
      await run(
        `CREATE FUNCTION interrupt() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'interrupted'; END $$`,
      );
      await run(`CREATE TRIGGER interrupt AFTER INSERT ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION interrupt()`);
      const failure: unknown = await harness.service.scheduler.tick().catch((error: unknown) => error);
      await run('DROP FUNCTION interrupt CASCADE');
      expect(String(failure)).to.include('interrupted');
      expect(await tools.rows(schedule)).to.deep.equal([]);
      // the failed schedule was postponed, so that it does not block others
      const [state] = await run(
        'SELECT due_at > clock_timestamp() AS later, last_task_id FROM schedules WHERE id = $1',
        [schedule.id],
      );
      expect(state).to.deep.equal({ later: true, last_task_id: null });
      await run("UPDATE schedules SET due_at = clock_timestamp() - interval '1 second' WHERE id = $1", [schedule.id]);
      await tools.run();
      expect((await tools.states(schedule))[0]).to.equal('ran');
      expect(await tools.tasks(schedule)).to.have.length.within(1, 2);
    });
  }

  it('catches up by its policy: runs no late occurrence, or only the latest', async () => {
    const skip = await tools.everyMinute(ann, -5, { catch_up: 'skip', overlap: 'allow' });
    const latest = await tools.everyMinute(ann, -5, { catch_up: 'latest', overlap: 'allow' });
    await tools.run();
    expect((await tools.states(skip)).slice(0, 4)).to.deep.equal(['missed', 'missed', 'missed', 'missed']);
    const states = await tools.states(latest);
    expect(
      states.slice(0, -1).every((state) => state === 'missed'),
      states.join(),
    ).to.equal(true);
    expect(states.at(-1)).to.equal('ran');
  });

  it('treats an occurrence as its overlap policy says while the last task is unfinished', async () => {
    const ofPolicy = async (overlap: string) => {
      const schedule = await tools.everyMinute(ann, -3, { overlap, catch_up: 'all' });
      await tools.run();
      return { schedule, states: (await tools.states(schedule)).slice(0, 4) };
    };
    expect((await ofPolicy('skip')).states).to.deep.equal(['ran', 'overlap', 'overlap', 'overlap']);
    expect((await ofPolicy('allow')).states).to.deep.equal(['ran', 'ran', 'ran', 'ran']);
    const cancelling = await ofPolicy('cancel_running');
    expect(cancelling.states).to.deep.equal(['ran', 'ran', 'ran', 'ran']);
    const states = (await tools.tasks(cancelling.schedule)).map(({ state }) => state);
    expect(states.slice(0, 3)).to.deep.equal(['cancelled', 'cancelled', 'cancelled']);
    expect(states.at(-1)).to.equal('draft');
    const queued = await ofPolicy('queue_one');
    expect(queued.states).to.deep.equal(['ran', 'queued', 'overlap', 'overlap']);
    const [task] = await tools.tasks(queued.schedule);
    await harness.transition(ann, { id: task?.id ?? '' }, 'cancelled');
    await tools.run();
    expect((await tools.states(queued.schedule)).slice(0, 4)).to.deep.equal(['ran', 'ran', 'overlap', 'overlap']);
  });

  it('still creates the task when no performer is left: the task awaits one', async () => {
    const ben = await harness.join('Ben', 'member');
    const target = { kind: 'task', title: 'Sweep', assignee_id: ben.id };
    const schedule = await tools.everyMinute(manager, 0, { target, overlap: 'allow' });
    await harness.become(ben, 'manager');
    await tools.run();
    const [task] = await tools.tasks(schedule);
    expect(task).to.include({ state: 'draft', assignee_id: null });
    expect(await run('SELECT awaiting_performer FROM tasks WHERE id = $1', [task?.id])).to.deep.equal([
      { awaiting_performer: true },
    ]);
  });

  it('fails occurrences of a user who may no longer assign, and pauses the schedule after its maximum number of failures', async () => {
    const mary = await harness.join('Mary', 'manager');
    const target = { kind: 'task', title: 'Sweep', assign: 'random' };
    const schedule = await tools.everyMinute(mary, -4, {
      target,
      overlap: 'allow',
      catch_up: 'all',
      pause_after_failures: 2,
    });
    await harness.become(mary, 'member');
    await tools.run();
    expect((await tools.states(schedule)).slice(0, 4)).to.deep.equal([
      'not_permitted',
      'not_permitted',
      'paused',
      'paused',
    ]);
    expect(await tools.read(manager, schedule)).to.include({ paused: true, pause_reason: 'failures' });
  });

  it('spreads runs over the jitter of a schedule, and never runs before the nominal instant', async () => {
    const schedule = await tools.everyMinute(ann, 0, { jitter: 'PT50S', overlap: 'allow' });
    const delays: number[] = [];
    for (let minute = 1; minute <= 12; minute++) {
      await tools.dueFrom(schedule, minute);
      await run("UPDATE schedules SET due_at = clock_timestamp() - interval '1 second' WHERE id = $1", [schedule.id]);
      await tools.run();
      const [row] = await run(
        'SELECT extract(epoch FROM due_at - next_at)::float8 AS delay FROM schedules WHERE id = $1',
        [schedule.id],
      );
      delays.push(Number(row?.['delay']));
    }
    expect(
      delays.every((delay) => delay >= 0 && delay < 50),
      delays.join(),
    ).to.equal(true);
    expect(new Set(delays).size).to.be.greaterThan(8);
    expect(await tools.rows(schedule)).to.deep.equal([]);
  });

  it('recomputes a next instant that was computed with an older tz database', async () => {
    const rule = {
      kind: 'cron',
      expression: '0 9 1 1 *',
      time_zone: 'Europe/Berlin',
      target: { kind: 'task', title: 'New year' },
    };
    const schedule = (await tools.ask('createSchedule', { token: ann.token, body: rule })) as Schedule;
    await run(
      "UPDATE schedules SET zone_database = '2000a', next_at = next_at + interval '1 hour', due_at = due_at + interval '1 hour' WHERE id = $1",
      [schedule.id],
    );
    await tools.run();
    expect((await tools.read(ann, schedule)).next_at).to.equal(schedule.next_at);
  });

  it('keeps an instant that has come but is not due yet when it recomputes', async () => {
    const schedule = await tools.everyMinute(ann, 0);
    await run(
      "UPDATE schedules SET zone_database = '2000a', due_at = clock_timestamp() + interval '1 minute' WHERE id = $1",
      [schedule.id],
    );
    await tools.run();
    const next = 'SELECT next_at <= clock_timestamp() AS has_come FROM schedules WHERE id = $1';
    expect(await run(next, [schedule.id])).to.deep.equal([{ has_come: true }]);
    await run('UPDATE schedules SET due_at = next_at WHERE id = $1', [schedule.id]);
    await tools.run();
    expect((await tools.states(schedule)).at(-1)).to.equal('ran');
  });

  it('does not start in a Node.js without Temporal', async () => {
    const env = { ...programEnv(), ...harness.environment() };
    const refused = spawn(process.execPath, ['--no-harmony-temporal', main], {
      ...{ stdio: ['ignore', 'ignore', 'pipe'], env, timeout: 30_000 },
    });
    const [[code], errors] = await Promise.all([once(refused, 'exit'), text(refused.stderr)]);
    expect(code).to.equal(1);
    expect(errors).to.match(/no Temporal|Temporal is not defined/);
  });

  it('pauses a schedule whose rule takes too long', async () => {
    const schedule = await tools.everyMinute(ann, 0);
    const everyMinute = `BYHOUR=${[...Array(24).keys()].join()};BYMINUTE=${[...Array(60).keys()].join()}`;
    const heavy = `FREQ=DAILY;${everyMinute};BYSETPOS=-1,-3,-5;COUNT=99999`;
    await run("UPDATE schedules SET kind = 'rrule', expression = $2, starts_at = '0001-01-01' WHERE id = $1", [
      schedule.id,
      heavy,
    ]);
    await tools.run();
    expect(await tools.read(ann, schedule)).to.include({ paused: true, pause_reason: 'too_complex' });
  });
});
