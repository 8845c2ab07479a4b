import { expect } from 'chai';
import { check } from '../../check/check.ts';
import type { Evidence } from '../../evidence.ts';
import type { OccurrenceRow } from '../../job-evidence.ts';
import { ann, mia, smallRun } from '../small-run.ts';
import type { ScheduleRule } from '../../job-evidence.ts';
import { at, brokenBy } from './jobs-run.ts';

const schedule = 'schedule-1';
const title = 's1';
const [ran, triggered] = ['task-ran', 'task-triggered'];

/** A schedule with an occurrence each minute from second 30 on, of which the second is skipped. It was triggered once. */
function schedulesRun(): Evidence {
  const run = smallRun();
  const startsAt = at(30);
  run.scheduleActs = [
    { kind: 'create', name: title, outcome: 'acknowledged', id: schedule, startsAt, endsAt: at(149) },
    { kind: 'trigger', scheduleId: schedule, outcome: 'acknowledged', nominalAt: at(40), runId: triggered },
  ];
  run.world.schedules = [{ id: schedule, title, created_at: at(0), is_deleted: false }];
  const row = (nominal: number, given: Partial<OccurrenceRow>): OccurrenceRow => ({
    ...{ schedule_id: schedule, nominal_at: at(nominal), cause: 'rule', state: 'ran', reason: null, task_id: null },
    ...given,
  });
  run.world.occurrences = [
    row(30, { task_id: ran }),
    row(90, { state: 'skipped', reason: 'overlap' }),
    row(40, { cause: 'trigger', task_id: triggered }),
  ];
  const skipped = { type: 'tasks.schedule.skipped', aggregateId: schedule, instant: at(90), reason: 'overlap' };
  run.events.push({ messageId: 'skip', timestamp: at(91), actor: null, named: null, ...skipped });
  for (const [index, id] of [ran, triggered].entries()) addTask(run, id, at(31 + index * 10));
  return run;
}

/** A draft that the system created for Mia. */
function addTask({ world, events }: Evidence, id: string, time: string): void {
  const task = { id, title, state: 'draft', creator_id: mia, assignee_id: null, version: 1, updated_at: time };
  const place = { project_id: null, parent_id: null, deletion_id: null, is_deleted: false };
  world.tasks.push({ ...task, ...place, created_at: time, due_at: null, awaiting_performer: false });
  world.listedTasks.push(task);
  const entry = { task_id: id, seq: 1, action: 'created', actor_id: null, field: null, from: null, to: null };
  world.activity.push({ ...entry, reason: null, created_at: time });
  for (const [index, action] of ['created', 'changed'].entries()) {
    const messageId = `${id}-${action}`;
    const timestamp = time.replace('000000Z', `00000${index}Z`);
    events.push({ messageId, type: `tasks.task.${action}`, aggregateId: id, timestamp, actor: null, named: null });
  }
}

/** A job that the schedule enqueued, and that was cancelled. */
function addJob({ world, events }: Evidence, id: string): void {
  const settled = { state: 'cancelled', reason: 'requested', settled_at: at(45), result_fence: null };
  const fields = { priority: 0, unique_key: null, concurrency_key: null, cancel_requested: true };
  world.jobs.push({ id, name: title, ...fields, ...settled });
  const event = { messageId: `${id}-end`, type: 'tasks.job.cancelled', aggregateId: id, timestamp: at(45) };
  events.push({ ...event, actor: null, named: null });
}

const broken = (change: (run: Evidence) => void) => brokenBy(change, schedulesRun);

describe('the checker of chaos runs, on schedules', () => {
  const rule = 'every occurrence is decided once';

  it('accepts a schedule with a row for each instant and each trigger', () => {
    expect(check(schedulesRun())).deep.equal([]);
  });

  it('finds a missing occurrence', () => {
    const remove = ({ world }: Evidence) =>
      void (world.occurrences = world.occurrences.filter((row) => row.state === 'ran'));
    expect(broken(remove)).include(rule);
  });

  it('finds an occurrence that was decided twice, or does not belong to the rule', () => {
    expect(broken(({ world }) => void world.occurrences.push({ ...world.occurrences[1]! }))).include(rule);
    expect(broken(({ world }) => void (world.occurrences[1]!.nominal_at = at(91)))).include(rule);
  });

  it('finds an earlier occurrence unless it was backfilled', () => {
    const backfill = (outcome: 'acknowledged' | 'refused') =>
      broken((run) => {
        const [create] = run.scheduleActs;
        Object.assign(create!, { startsAt: '2026-11-20T10:09:30.000000Z' });
        const nominal_at = '2026-11-20T10:09:30.000000Z';
        run.world.occurrences.push({
          ...run.world.occurrences[0]!,
          nominal_at,
          cause: 'backfill',
          task_id: 'task-back',
        });
        addTask(run, 'task-back', at(50));
        const [from, to] = ['2026-11-20T10:09:00.000000Z', at(0)];
        run.scheduleActs.push({ kind: 'backfill', scheduleId: schedule, outcome, from, to });
      });
    expect(backfill('acknowledged')).deep.equal([]);
    expect(backfill('refused')).deep.equal([rule]);
  });

  it('finds a run without its task, a task without its run, and a task with two runs', () => {
    expect(broken(({ world }) => void (world.occurrences[0]!.task_id = 'gone'))).deep.equal([rule]);
    expect(broken((run) => addTask(run, 'task-stray', at(60)))).deep.equal([rule]);
    const share = ({ world }: Evidence) => void (world.occurrences[0]!.task_id = triggered);
    expect(broken(share)).deep.equal([rule]);
  });

  describe('with the wall times of a zone', () => {
    // second 60 and second 120 of the run are 10:11 and 10:12 UTC
    const inNepal = (minutes: number[], hours: number[] | null): ScheduleRule => {
      return { kind: 'cron', zone: 'Asia/Kathmandu', hours, minutes, second: 0 };
    };
    const withRule = (rule: ScheduleRule, ...seconds: number[]) =>
      broken((run) => {
        Object.assign(run.scheduleActs[0]!, { rule });
        const [, skipped, trigger] = run.world.occurrences as [OccurrenceRow, OccurrenceRow, OccurrenceRow];
        run.world.occurrences = [...seconds.map((second) => ({ ...skipped, nominal_at: at(second) })), trigger];
        run.world.tasks = run.world.tasks.filter(({ id }) => id !== ran);
        run.world.listedTasks = run.world.listedTasks.filter(({ id }) => id !== ran);
        run.world.activity = run.world.activity.filter(({ task_id }) => task_id !== ran);
        const skip = run.events.find(({ messageId }) => messageId === 'skip')!;
        run.events = run.events.filter((event) => event !== skip && event.aggregateId !== ran);
        for (const second of seconds)
          run.events.push({ ...skip, messageId: `skip-${second}`, instant: at(second), timestamp: at(second + 1) });
      });

    it('accepts exactly the instants that have them', () => {
      expect(withRule(inNepal([56, 57], null), 60, 120)).deep.equal([]);
      expect(withRule(inNepal([57], [15]), 120)).deep.equal([]);
    });

    it('finds an instant that has them in another zone, and one that is missing', () => {
      expect(withRule(inNepal([11], null), 60)).deep.equal([rule]);
      expect(withRule(inNepal([56, 57], null), 60)).deep.equal([rule]);
      expect(withRule(inNepal([56], [10]), 60)).deep.equal([rule]);
    });
  });

  describe('that have jobs', () => {
    /** The schedule's first occurrence and its trigger ran as jobs. */
    function jobsOfSchedule(): Evidence {
      const run = schedulesRun();
      Object.assign(run.scheduleActs[0]!, { target: 'job' });
      for (const [place, id] of [
        [0, ran],
        [2, triggered],
      ] as const) {
        Object.assign(run.world.occurrences[place]!, { task_id: null, job_id: id });
        run.world.tasks = run.world.tasks.filter((task) => task.id !== id);
        run.world.listedTasks = run.world.listedTasks.filter((task) => task.id !== id);
        run.world.activity = run.world.activity.filter(({ task_id }) => task_id !== id);
        run.events = run.events.filter(({ aggregateId }) => aggregateId !== id);
        addJob(run, id);
      }
      return run;
    }
    const brokenJobs = (change: (run: Evidence) => void) => brokenBy(change, jobsOfSchedule);

    it('are accepted with one job for each run', () => {
      expect(check(jobsOfSchedule())).deep.equal([]);
    });

    it('are found if a run has no job, a job has no run or two, or a run made a task instead', () => {
      expect(brokenJobs(({ world }) => void (world.occurrences[0]!.job_id = 'gone'))).deep.equal([rule]);
      expect(brokenJobs((run) => addJob(run, 'job-stray'))).deep.equal([rule]);
      expect(brokenJobs(({ world }) => void (world.occurrences[0]!.job_id = triggered))).deep.equal([rule]);
      const task = (run: Evidence) => {
        Object.assign(run.world.occurrences[0]!, { job_id: null, task_id: 'task-instead' });
        addTask(run, 'task-instead', at(31));
      };
      expect(brokenJobs(task)).include(rule);
    });

    it('are found if a job never ended', () => {
      const keep = ({ world }: Evidence) => Object.assign(world.jobs[0]!, { state: 'queued', settled_at: null });
      expect(brokenJobs(keep)).include('jobs are kept');
    });
  });

  it('finds a trigger that ran twice, or has no occurrence although it was acknowledged', () => {
    const twice = (run: Evidence) => {
      run.world.occurrences.push({ ...run.world.occurrences[2]!, nominal_at: at(41), task_id: 'task-twice' });
      addTask(run, 'task-twice', at(60));
    };
    expect(broken(twice)).deep.equal([rule]);
    expect(broken(({ scheduleActs }) => Object.assign(scheduleActs[1]!, { runId: 'other' }))).deep.equal([rule]);
  });

  it('finds a failed occurrence, and a schedule that exists twice or not at all', () => {
    const fail = ({ world }: Evidence) => Object.assign(world.occurrences[1]!, { state: 'failed' });
    expect(broken(fail)).include(rule);
    expect(broken(({ world }) => void (world.schedules[0]!.title = 'other'))).include(rule);
    expect(broken(({ world }) => void world.schedules.push({ ...world.schedules[0]!, id: 'copy' }))).include(rule);
  });

  it('finds a skip without its event, with two, with another reason, and the event of another instant', () => {
    const events = 'every change is published once';
    const skip = (run: Evidence) => run.events.find(({ messageId }) => messageId === 'skip')!;
    expect(broken((run) => void run.events.splice(run.events.indexOf(skip(run)), 1))).deep.equal([events]);
    const double = (run: Evidence) => void run.events.push({ ...skip(run), messageId: 'again', timestamp: at(92) });
    expect(broken(double)).deep.equal([events]);
    expect(broken((run) => void (skip(run).reason = 'missed'))).deep.equal([events]);
    expect(broken((run) => void (skip(run).instant = at(30)))).deep.equal([events]);
  });
});

describe('the checker of chaos runs, on reminders', () => {
  const rule = 'reminders are sent once';
  const dueAt = at(10);

  /** The task of Ann is due, and both are notified. */
  function remindersRun(): Evidence {
    const run = smallRun();
    const { world } = run;
    const task = world.tasks[0]!;
    task.due_at = dueAt;
    world.reminders = [{ task_id: task.id, kind: 'overdue', due_at: dueAt, state: 'sent' }];
    const entry = { ...world.activity[0]!, seq: 9, action: 'overdue', actor_id: null, field: 'due_at', to: dueAt };
    world.activity.push({ ...entry, created_at: at(11) });
    const event = { messageId: 'overdue', type: 'tasks.task.overdue', aggregateId: task.id, timestamp: at(11) };
    run.events.push({ ...event, actor: null, named: ann, instant: dueAt });
    world.inbox.push({ service: 'notifications', message_id: 'overdue', handler: 'notify', received_at: at(12) });
    for (const userId of [ann, mia]) {
      world.notifications.push({
        ...{ id: `overdue-${userId}`, event_id: 'overdue', user_id: userId, type: 'task.overdue' },
        ...{ task_id: task.id, created_at: at(12), is_in_app: true },
      });
    }
    world.listedNotifications[0]!.ids.push(`overdue-${mia}`);
    return run;
  }
  const brokenReminders = (change: (run: Evidence) => void) => brokenBy(change, remindersRun);

  it('accepts a reminder, which is no version of its task', () => {
    expect(check(remindersRun())).deep.equal([]);
  });

  it('finds a reminder without its event, or with an entry too many', () => {
    expect(brokenReminders(({ events }) => void events.pop())).include('every change is published once');
    const logTwice = ({ world }: Evidence) => void world.activity.push({ ...world.activity.at(-1)!, seq: 10 });
    expect(brokenReminders(logTwice)).include(rule);
  });

  it('finds a reminder that was sent twice, even if the activity log has both', () => {
    const sendTwice = ({ events, world }: Evidence) => {
      events.push({ ...events.at(-1)!, messageId: 'overdue-2', timestamp: at(13) });
      world.activity.push({ ...world.activity.at(-1)!, seq: 10, created_at: at(13) });
    };
    expect(brokenReminders(sendTwice)).include(rule);
  });

  it('finds a reminder that was sent and is still armed, or is recorded as sent and was not', () => {
    expect(brokenReminders(({ world }) => void (world.reminders[0]!.state = 'armed'))).deep.equal([rule]);
    const record = ({ world }: Evidence) => void world.reminders.push({ ...world.reminders[0]!, kind: 'due_soon' });
    expect(brokenReminders(record)).deep.equal([rule]);
  });

  it('finds an open task whose due date passed without a reminder', () => {
    const later = ({ events, world }: Evidence) => {
      world.tasks[0]!.due_at = at(12);
      events.push({ ...events[0]!, messageId: 'x', timestamp: at(60) });
    };
    expect(brokenReminders(later)).include(rule);
  });
});
