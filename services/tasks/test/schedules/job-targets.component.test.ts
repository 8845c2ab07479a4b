import { expect } from 'chai';
import { codeOf } from '../support/api.ts';
import { jobsHarness, type JobClient, type JobsHarness, type ProblemBody } from '../support/jobs-harness.ts';
import { scheduleTools, type Occurrence, type Schedule } from '../support/schedules.ts';
import type { Person } from '../support/tasks-harness.ts';

describe('A schedule that enqueues jobs', () => {
  let harness: JobsHarness;
  let client: JobClient;
  let tools: ReturnType<typeof scheduleTools>;
  let manager: Person;

  before(async () => {
    harness = await jobsHarness();
    tools = scheduleTools(harness);
    manager = await harness.join('Mona', 'manager');
  });
  after(async () => await harness.stop());
  beforeEach(async () => (client = await harness.client()));

  const target = (job: object = {}) => ({ kind: 'job', job: { queue: client.queue, kind: 'clean', ...job } });
  const every = async (next: number, body: Record<string, unknown> = {}): Promise<Schedule> =>
    await tools.everyMinute(manager, next, { target: target(), catch_up: 'all', ...body });
  /** Claims a job after a full scan: the tests move jobs into the past, below the floor. */
  const claim = async () => {
    await harness.service.jobs.floors.scan([client.queue]);
    return await client.claim();
  };
  /** Runs the occurrences from one minute to another. */
  async function runFrom(schedule: Schedule, first: number, last: number): Promise<void> {
    await tools.dueFrom(schedule, first);
    const text = "UPDATE schedules SET ends_at = next_at + $2 * interval '1 minute' WHERE id = $1";
    await harness.sql(text, [schedule.id, last - first]);
    await tools.run();
  }
  const occurrences = async ({ id }: Schedule) => {
    const given = { token: manager.token, params: { id }, query: { to: new Date().toISOString() } };
    return ((await tools.ask('listOccurrences', given)) as { data: Occurrence[] }).data;
  };

  it('enqueues one job for each occurrence, with an id that the occurrence determines', async () => {
    const job = { payload: { a: 1 }, priority: 2, max_attempts: 3, deadline_in: 'PT1H' };
    const schedule = await every(-3, { target: target(job), overlap: 'allow' });
    await tools.run();
    const jobs = await claim();
    expect(jobs).to.have.length(4);
    const rows = await occurrences(schedule);
    expect(rows.map(({ state, task_id }) => [state, task_id])).to.deep.equal(rows.map(() => ['ran', null]));
    expect(rows.map(({ job_id }) => job_id)).to.have.members(jobs.map(({ id }) => id));
    const first = rows[0]!;
    const stored = await client.read(first.job_id ?? '');
    expect(stored).to.deep.include({ kind: 'clean', payload: { a: 1 }, priority: 2, max_attempts: 3, task_id: null });
    expect(Date.parse(stored.deadline ?? '') - Date.parse(first.nominal_at)).to.equal(3_600_000);
    const shown = { queue: client.queue, kind: 'clean', concurrency_key: null, ...job };
    expect((await tools.read(manager, schedule)).target).to.deep.equal({ kind: 'job', job: shown });
  });

  it('requires a manager or admin, when it is created and when it runs', async () => {
    const ann = await harness.join('Ann', 'member');
    const body = { kind: 'cron', expression: '* * * * *', target: target() };
    expect((await harness.call('createSchedule', { token: ann.token, body })).status).to.equal(403);
    const olga = await harness.join('Olga', 'manager');
    const schedule = await tools.everyMinute(olga, 0, { target: target(), pause_after_failures: 1 });
    await harness.become(olga, 'member');
    await tools.run();
    expect(await tools.states(schedule)).to.deep.equal(['not_permitted']);
    expect(await claim()).to.deep.equal([]);
    const bad = await harness.call('createSchedule', {
      token: manager.token,
      body: { ...body, target: target({ deadline_in: 'P400D' }) },
    });
    expect([codeOf(bad), (bad.body as ProblemBody).errors?.[0]?.field]).to.deep.equal([
      'invalid_input',
      'target.job.deadline_in',
    ]);
  });

  it('has a payload without the character that its column cannot store, and keeps text that only looks like it', async () => {
    const body = { kind: 'cron', expression: '* * * * *' };
    for (const payload of ['\0', { a: ['\0'] }, { '\0': 1 }, { a: '\\\0' }]) {
      const refused = await harness.call('createSchedule', {
        token: manager.token,
        body: { ...body, target: target({ payload }) },
      });
      expect([codeOf(refused), (refused.body as ProblemBody).errors?.[0]?.field]).to.deep.equal([
        'invalid_input',
        'target.job.payload',
      ]);
    }
    const schedule = await every(0, { target: target({ payload: { a: '\\u0000' } }) });
    expect((await tools.read(manager, schedule)).target).to.deep.nested.include({ 'job.payload': { a: '\\u0000' } });
  });

  it('skips an occurrence while the last job has not ended, and runs again when it has', async () => {
    const schedule = await every(0, { overlap: 'skip' });
    await runFrom(schedule, -9, -8);
    expect(await tools.states(schedule)).to.deep.equal(['ran', 'overlap']);
    await client.settle('complete', (await claim())[0]!);
    await runFrom(schedule, -7, -6);
    expect(await tools.states(schedule)).to.deep.equal(['ran', 'overlap', 'ran', 'overlap']);
    expect(await claim()).to.have.length(1);
  });

  it('runs a queued occurrence when the last job has ended', async () => {
    const schedule = await every(-2, { overlap: 'queue_one' });
    await tools.run();
    expect(await tools.states(schedule)).to.deep.equal(['ran', 'queued', 'overlap']);
    await client.settle('complete', (await claim())[0]!);
    await tools.run();
    expect(await tools.states(schedule)).to.deep.equal(['ran', 'ran', 'overlap']);
  });

  it('cancels the last job before the next one runs, at once or through its worker', async () => {
    const schedule = await every(0, { overlap: 'cancel_running' });
    await runFrom(schedule, -9, -8);
    const [first, second] = (await occurrences(schedule)).map(({ job_id }) => job_id ?? '');
    expect(await client.read(first ?? '')).to.include({ state: 'cancelled', reason: 'requested' });
    const [lease] = await claim();
    expect(lease?.id).to.equal(second);
    await runFrom(schedule, -7, -7);
    expect((await client.beat(lease!))[0]).to.include({ cancel_requested: true });
    expect(await client.settle('fail', lease!)).to.deep.equal([200, 'cancelled']);
  });

  it('pauses after its maximum number of consecutive dead jobs, and counts each once', async () => {
    const schedule = await every(0, { overlap: 'skip', pause_after_failures: 2 });
    const paused = async () => (await tools.read(manager, schedule)).pause_reason;
    for (const minutes of [-10, -20]) {
      await tools.run();
      await client.settle('fail', (await claim())[0]!, { final: true });
      expect(await paused()).to.equal(null);
      await harness.sql('DELETE FROM schedule_occurrences WHERE schedule_id = $1', [schedule.id]);
      await tools.dueFrom(schedule, minutes);
      await harness.sql("UPDATE schedules SET catch_up = 'latest', ends_at = next_at WHERE id = $1", [schedule.id]);
    }
    await tools.run();
    expect(await paused()).to.equal('failures');
    expect(await claim()).to.deep.equal([]);
    // the dead job has been counted, so resuming does not pause the schedule again
    await tools.ask('resumeSchedule', { token: manager.token, params: { id: schedule.id } });
    expect(await paused()).to.equal(null);
  });

  it('pauses when its user may no longer enqueue jobs, although the last job succeeded', async () => {
    const olga = await harness.join('Olga', 'manager');
    const body = { target: target(), catch_up: 'all', overlap: 'allow', pause_after_failures: 2 };
    const schedule = await tools.everyMinute(olga, 0, body);
    await runFrom(schedule, -9, -9);
    await client.settle('complete', (await claim())[0]!);
    await harness.become(olga, 'member');
    // a success ends the row of failures once, and not again before each of the next occurrences
    for (const minute of [-8, -7]) await runFrom(schedule, minute, minute);
    expect(await tools.states(schedule)).to.deep.equal(['ran', 'not_permitted', 'not_permitted']);
    expect(await tools.read(manager, schedule)).to.include({ paused: true, pause_reason: 'failures' });
  });

  describe('whose next occurrence follows the completion of the last one', () => {
    it('has no next instant until the job has ended, however late that is', async () => {
      const schedule = await every(-3, { regenerate: 'on_completion' });
      await tools.run();
      expect(await tools.states(schedule)).to.deep.equal(['ran']);
      expect(await tools.read(manager, schedule)).to.include({ next_at: null, regenerate: 'on_completion' });
      await tools.run();
      const [lease] = await claim();
      await client.settle('complete', lease!);
      await tools.run();
      const { next_at: next } = await tools.read(manager, schedule);
      // the next full minute after the end, which counts as a whole second, rounded up
      expect(Date.parse(next ?? '')).to.be.within(Date.now() - 60_000, Date.now() + 61_000);
      expect(await tools.states(schedule)).to.deep.equal(['ran']);
    });

    it('counts an interval from the end of a task, and stops waiting for that end when it is changed', async () => {
      const rule = { kind: 'every', expression: 'PT2H', regenerate: 'on_completion' };
      const schedule = await tools.everyMinute(manager, -1, { ...rule, target: { kind: 'task', title: 'Water' } });
      await tools.run();
      const [task] = await tools.tasks(schedule);
      await harness.transition(manager, { id: task?.id ?? '' }, 'cancelled');
      const before = Date.now();
      await tools.run();
      const { next_at: next } = await tools.read(manager, schedule);
      expect(Date.parse(next ?? '') - before).to.be.within(7_195_000, 7_205_000);
      const listed = await tools.ask('listOccurrences', { token: manager.token, params: { id: schedule.id } });
      expect((listed as { data: Occurrence[] }).data[1]).to.include({ state: 'planned', nominal_at: next });
      await tools.dueFrom(schedule, 0);
      await tools.run();
      expect((await tools.read(manager, schedule)).next_at).to.equal(null);
      const change = { token: manager.token, params: { id: schedule.id }, headers: { 'if-match': '*' } };
      await tools.ask('changeSchedule', { ...change, body: { regenerate: 'on_schedule' } });
      expect((await tools.read(manager, schedule)).next_at).to.not.equal(null);
    });
  });
});
