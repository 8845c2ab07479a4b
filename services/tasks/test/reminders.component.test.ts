import { readFileSync } from 'node:fs';
import { query } from '@taskwire/postgres';
import { expect } from 'chai';
import { tasksTeam, type Person, type TasksHarness } from './support/tasks-harness.ts';

const longAgo = '2020-02-29T12:00:00.000000Z';
const farAway = '2099-12-31T12:00:00.000000Z';

/** The payload of an event, and its type without the prefix. */
type SeenReminder = Record<string, unknown> & { kind: string };

describe('Reminders of due dates', () => {
  let harness: TasksHarness;
  let manager: Person;
  let ann: Person;

  before(async () => {
    // the tests run the loop themselves, and read events from the outbox
    ({ harness, manager, ann } = await tasksTeam({ PROCESS_ROLE: 'api' }));
  });
  after(async () => await harness.stop());

  const rows = async <R extends object>(text: string, ...values: unknown[]) =>
    await query<R>(harness.database.db.pool, text, values);
  const inTime = (interval: string) =>
    `to_char((now() + interval '${interval}') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
  /** Returns the instant at this distance from now, by the database's clock. */
  const fromNow = async (interval: string) => (await rows<{ at: string }>(`SELECT ${inTime(interval)} AS at`))[0]!.at;
  /** Lets time pass for a task: moves its reminders and its due date into the past. */
  const letPass = async ({ id }: { id: string }, kind: 'due_soon' | 'overdue') =>
    await rows(
      `UPDATE task_reminders SET remind_at = now() - interval '1 second' WHERE task_id = $1 AND kind = $2 AND state = 'armed'`,
      id,
      kind,
    );

  async function tick(): Promise<void> {
    while ((await harness.service.reminders.tick()) === 'more');
  }
  const eventsAbout = async ({ id }: { id: string }) =>
    (
      await rows<{ type: string; payload: Record<string, unknown> }>(
        `SELECT type, payload FROM outbox WHERE aggregate_id = $1 AND type IN ('tasks.task.due_soon', 'tasks.task.overdue') ORDER BY id`,
        id,
      )
    ).map(({ type, payload }): SeenReminder => ({ kind: type.replace('tasks.task.', ''), ...payload }));
  const kindsAbout = async (task: { id: string }) =>
    (await eventsAbout(task)).map(({ kind, due_at }) => `${kind} ${String(due_at)}`);
  const states = async ({ id }: { id: string }) =>
    (
      await rows<{ kind: string; state: string }>(
        'SELECT kind, state FROM task_reminders WHERE task_id = $1 ORDER BY due_at, kind',
        id,
      )
    ).map(({ kind, state }) => `${kind} ${state}`);
  const change = async (task: { id: string }, body: object) => {
    const headers = { 'if-match': '*' };
    const answer = await harness.call('changeTask', { token: manager.token, params: { id: task.id }, body, headers });
    expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
  };
  const remove = async (task: { id: string }) =>
    await harness.call('deleteTask', { token: manager.token, params: { id: task.id }, headers: { 'if-match': '*' } });

  it('send due_soon and then overdue, each once, with an entry in the activity log, and leave the task as it is', async () => {
    const due_at = await fromNow('1 hour');
    const task = await harness.createTask(manager, { due_at, assignee_id: ann.id, due_time_zone: 'Europe/Berlin' });
    await tick();
    await tick();
    const due = {
      task_uuid: task.id,
      project_id: null,
      actor: null,
      assigned_to: ann.id,
      due_at,
      due_time_zone: 'Europe/Berlin',
      due_all_day: false,
    };
    const [soon, ...more] = await eventsAbout(task);
    expect(more).to.deep.equal([]);
    expect(soon).to.deep.equal({ kind: 'due_soon', ...due, timestamp: soon?.['timestamp'] });
    await letPass(task, 'overdue');
    await tick();
    await tick();
    const [, overdue] = await eventsAbout(task);
    expect(overdue).to.deep.equal({ kind: 'overdue', ...due, timestamp: overdue?.['timestamp'] });
    expect(String(overdue?.['timestamp']) > String(soon?.['timestamp'])).to.equal(true);
    expect(await kindsAbout(task)).to.have.length(2);
    const reminded = (await harness.activity(ann, task)).filter(({ field }) => field === 'due_at');
    expect(reminded.map(({ action, actor, from, to, reason }) => ({ action, actor, from, to, reason }))).to.deep.equal(
      ['due_soon', 'overdue'].map((action) => ({ action, actor: null, from: null, to: due_at, reason: null })),
    );
    expect(await harness.read(ann, task)).to.deep.equal(task);
  });

  it('send overdue late with its original due date, and record due_soon as skipped, after an outage', async () => {
    const task = await harness.createTask(ann, { due_at: longAgo });
    await tick();
    expect(await kindsAbout(task)).to.deep.equal([`overdue ${longAgo}`]);
    expect((await eventsAbout(task))[0]).to.include({ assigned_to: null, due_time_zone: null });
    expect(await states(task)).to.deep.equal(['due_soon skipped', 'overdue sent']);
    const entries = (await harness.activity(ann, task)).map(({ action, to, reason }) => [action, to, reason]);
    expect(entries).to.deep.equal([
      ['created', null, null],
      ['due_soon_skipped', longAgo, 'the due date had passed before the reminder could be sent'],
      ['overdue', longAgo, null],
    ]);
  });

  it('are armed for another due date, and never send a second event for an earlier one', async () => {
    const task = await harness.createTask(ann, { due_at: longAgo });
    await tick();
    await change(task, { due_at: farAway });
    expect(await states(task)).to.deep.equal(['due_soon skipped', 'overdue sent', 'due_soon armed', 'overdue armed']);
    await change(task, { due_at: longAgo });
    await tick();
    expect(await states(task)).to.deep.equal(['due_soon skipped', 'overdue sent']);
    expect(await kindsAbout(task)).to.deep.equal([`overdue ${longAgo}`]);
    const other = '2020-02-29T12:00:00.000001Z';
    await change(task, { due_at: other });
    await tick();
    expect(await kindsAbout(task)).to.deep.equal([`overdue ${longAgo}`, `overdue ${other}`]);
  });

  it('follow a change of remind_before until due_soon is sent, and do not send it again', async () => {
    const due_at = await fromNow('3 hours');
    const task = await harness.createTask(ann, { due_at, remind_before: 'PT1H' });
    await tick();
    expect(await kindsAbout(task)).to.deep.equal([]);
    await change(task, { remind_before: 'PT4H' });
    await tick();
    expect(await kindsAbout(task)).to.deep.equal([`due_soon ${due_at}`]);
    for (const remind_before of ['PT1M', 'P2D']) {
      await change(task, { remind_before });
      await tick();
    }
    expect(await kindsAbout(task)).to.deep.equal([`due_soon ${due_at}`]);
    expect(await states(task)).to.deep.equal(['due_soon sent', 'overdue armed']);
  });

  it('are disarmed when the task is completed, cancelled or deleted, or loses its due date', async () => {
    const endings: ((task: { id: string }) => Promise<unknown>)[] = [
      async (task) => {
        await harness.transition(ann, task, 'in_progress');
        await harness.transition(ann, task, 'completed');
      },
      async (task) => await harness.transition(manager, task, 'cancelled'),
      remove,
      async (task) => await change(task, { due_at: null }),
    ];
    for (const end of endings) {
      const task = await harness.createTask(manager, { due_at: farAway, assignee_id: ann.id });
      expect(await states(task)).to.deep.equal(['due_soon armed', 'overdue armed']);
      await end(task);
      expect(await states(task)).to.deep.equal([]);
    }
  });

  it('take days of remind_before as days of the time zone, even when clocks change', async () => {
    const remindAt = async (body: Record<string, unknown>) => {
      const { id } = await harness.createTask(ann, body);
      const [row] = await rows<{ at: string }>(
        `SELECT to_char(remind_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS at FROM task_reminders WHERE task_id = $1 AND kind = 'due_soon'`,
        id,
      );
      return row?.at;
    };
    // clocks in Berlin are turned forward on 2099-03-29, at 01:00 UTC
    const due_at = '2099-03-29T10:00:00Z';
    const cases: [Record<string, unknown>, string][] = [
      [{ due_at }, '2099-03-28T10:00:00Z'],
      [{ due_at, due_time_zone: 'Europe/Berlin' }, '2099-03-28T11:00:00Z'],
      [{ due_at, due_time_zone: 'Europe/Berlin', remind_before: 'PT24H' }, '2099-03-28T10:00:00Z'],
      [{ due_at, due_time_zone: 'Europe/Berlin', remind_before: 'P1W' }, '2099-03-22T11:00:00Z'],
      [{ due_at, due_time_zone: 'Europe/Berlin', remind_before: 'P1M2W3DT4H30M' }, '2099-02-11T06:30:00Z'],
      [{ due_at, due_time_zone: 'Europe/Berlin', due_all_day: true }, '2099-03-28T22:59:59Z'],
    ];
    for (const [body, expected] of cases) expect(await remindAt(body), JSON.stringify(body)).to.equal(expected);
  });

  it('do not fail a write because the database lacks the time zone', async () => {
    const task = await harness.createTask(ann, { due_at: farAway });
    await rows(`UPDATE tasks SET due_time_zone = 'Mars/Olympus_Mons' WHERE id = $1`, task.id);
    const [row] = await rows<{ isRight: boolean }>(
      `SELECT due_at - remind_at = interval '1 day' AS "isRight" FROM task_reminders WHERE task_id = $1 AND kind = 'due_soon'`,
      task.id,
    );
    expect(row).to.deep.equal({ isRight: true });
  });

  it('are armed and disarmed by writes of the previous release, which has none of their columns', async () => {
    const [made] = await rows<{ id: string }>(
      `INSERT INTO tasks (title, description, state, priority, due_at, labels, creator_id, created_at, updated_at)
       VALUES ('Old', '', 'draft', 'normal', now() + interval '1 hour', '{}', $1, now(), now()) RETURNING id`,
      ann.id,
    );
    await tick();
    expect(await states(made!)).to.deep.equal(['due_soon sent', 'overdue armed']);
    await rows(`UPDATE tasks SET due_at = now() + interval '3 days', version = version + 1 WHERE id = $1`, made!.id);
    expect(await states(made!)).to.deep.equal(['due_soon sent', 'due_soon armed', 'overdue armed']);
    await rows(`UPDATE tasks SET state = 'cancelled', version = version + 1 WHERE id = $1`, made!.id);
    expect(await states(made!)).to.deep.equal(['due_soon sent']);
  });

  it('stay armed when the process dies between the claim and the commit', async () => {
    const task = await harness.createTask(ann, { due_at: longAgo });
    // the commit closes the connection, as the death of the process would
    await rows(`
      CREATE FUNCTION end_connection() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'`);
    await rows(`
      CREATE CONSTRAINT TRIGGER killed AFTER UPDATE ON task_reminders DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION end_connection()`);
    const failure: unknown = await harness.service.reminders.tick().then(
      () => undefined,
      (error: unknown) => error,
    );
    await rows('DROP TRIGGER killed ON task_reminders');
    expect(failure).to.be.an('error');
    expect(await states(task)).to.deep.equal(['due_soon armed', 'overdue armed']);
    expect(await kindsAbout(task)).to.deep.equal([]);
    expect(await harness.activity(ann, task)).to.have.length(1);
    await tick();
    expect(await kindsAbout(task)).to.deep.equal([`overdue ${longAgo}`]);
  });

  it('are shared by replicas, which send each of them once', async () => {
    const other = await harness.replica({ PROCESS_ROLE: 'api' });
    const tasks = await Promise.all(
      Array.from({ length: 250 }, async () => await harness.createTask(ann, { due_at: longAgo })),
    );
    let busy = true;
    while (busy) {
      const progress = await Promise.all(
        [harness.service, other, other].map(async ({ reminders }) => await reminders.tick()),
      );
      busy = progress.includes('more');
    }
    await tick();
    const sent = await rows<{ aggregate_id: string; count: number }>(
      `SELECT aggregate_id, count(*)::integer AS count FROM outbox WHERE type = 'tasks.task.overdue' AND aggregate_id = ANY ($1) GROUP BY 1`,
      tasks.map(({ id }) => id),
    );
    expect(sent.map(({ count }) => count)).to.deep.equal(Array.from({ length: 250 }, () => 1));
  });

  it('wait for a user who is changing the task, and follow the change', async () => {
    const task = await harness.createTask(manager, { due_at: longAgo, assignee_id: ann.id });
    await harness.database.db.transaction(async (tx) => {
      await tx.query('SELECT id FROM tasks WHERE id = $1 FOR UPDATE', [task.id]);
      expect(await harness.service.reminders.tick()).to.equal('idle');
      await tx.query(`UPDATE tasks SET state = 'cancelled', version = version + 1 WHERE id = $1`, [task.id]);
    });
    await tick();
    expect(await kindsAbout(task)).to.deep.equal([]);
  });

  it('are armed for the tasks of an upgraded database, except those that are overdue already', async () => {
    const backfill = readFileSync(new URL('../migrations/0006_existing_due_dates.sql', import.meta.url), 'utf8');
    await rows('ALTER TABLE tasks DISABLE TRIGGER USER');
    const later = await harness.createTask(ann, { due_at: farAway });
    const overdue = await harness.createTask(ann, { due_at: longAgo });
    const cancelled = await harness.createTask(ann, { due_at: farAway });
    await harness.transition(manager, cancelled, 'cancelled');
    await rows('ALTER TABLE tasks ENABLE TRIGGER USER');
    await rows(backfill);
    // the runner repeats it until it finds nothing
    const { rowCount } = await harness.database.db.pool.query(backfill);
    expect(rowCount).to.equal(0);
    await tick();
    expect(await states(later)).to.deep.equal(['due_soon armed', 'overdue armed']);
    expect(await states(overdue)).to.deep.equal(['due_soon skipped', 'overdue skipped']);
    expect(await states(cancelled)).to.deep.equal([]);
    expect(await kindsAbout(overdue)).to.deep.equal([]);
  });

  it('are deleted with their task', async () => {
    const task = await harness.createTask(ann, { due_at: longAgo });
    await tick();
    await remove(task);
    expect(await states(task)).to.deep.equal(['due_soon skipped', 'overdue sent']);
    await rows(`UPDATE tasks SET deleted_at = now() - interval '2 years' WHERE id = $1`, task.id);
    await rows(`SELECT remove_deleted_tasks(interval '1 year', 100)`);
    expect(await states(task)).to.deep.equal([]);
  });

  it('report how late they are in metrics', async () => {
    const task = await harness.createTask(ann, { due_at: longAgo });
    const metrics = async () => await harness.service.telemetry.metrics.metrics();
    const late = async () => Number(/tasks_reminders_late_seconds\{[^}]*\} ([\d.e+]+)/.exec(await metrics())?.[1]);
    expect(await late()).to.be.above(100_000_000);
    await tick();
    expect(await states(task)).to.include('overdue sent');
    expect(await late()).to.equal(0);
    expect(await metrics()).to.match(
      /tasks_reminder_delay_seconds_count\{[^}]*kind="overdue",state="sent"[^}]*\} [1-9]/,
    );
  });
});
