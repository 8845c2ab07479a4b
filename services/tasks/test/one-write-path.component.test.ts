import { randomUUID } from 'node:crypto';
import { tasksRoutes } from '@taskwire/contracts';
import { insertDeadLetters } from '@taskwire/testing';
import { expect } from 'chai';
import { actionsBesideTask } from '../src/domain/history.ts';
import type { Call } from './support/api.ts';
import { jobTaskTools } from './support/job-tasks.ts';
import { jobsHarness, type JobClient, type JobsHarness } from './support/jobs-harness.ts';
import { linkTools } from './support/links.ts';
import { createProject, projectOf, setMember } from './support/projects.ts';
import { scheduleTools } from './support/schedules.ts';
import type { Person } from './support/tasks-harness.ts';

type Operation = Parameters<JobsHarness['call']>[0];
type Entry = { task_id: string; action: string; actor_id: string | null; at: string };

/** The operations that may write, but change no task. */
const besideTasks: readonly string[] = [
  ...['searchTasks', 'previewSchedule'],
  ...['enqueueJob', 'enqueueJobs', 'replayJob', 'replayJobs', 'setJobLimit', 'heartbeatJobs', 'failJob', 'releaseJob'],
  ...['createSchedule', 'changeSchedule', 'deleteSchedule', 'pauseSchedule', 'resumeSchedule'],
  ...['createView', 'changeView', 'deleteView', 'moveTask'],
  ...['createTaskTemplate', 'changeTaskTemplate', 'deleteTaskTemplate'],
  ...['createProject', 'changeProject', 'setProjectMember', 'removeProjectMember'],
  ...['replayDeadLetter', 'replayDeadLetters', 'dropDeadLetter'],
];

describe('A change of a task', () => {
  let harness: JobsHarness;
  let client: JobClient;
  let admin: Person;
  let manager: Person;
  let ann: Person;
  let ben: Person;

  before(async () => {
    // no event is published, so that all of them stay in the outbox
    harness = await jobsHarness();
    admin = await harness.join('Ada', 'admin');
    manager = await harness.join('Mona', 'manager');
    ann = await harness.join('Ann', 'member');
    ben = await harness.join('Ben', 'member');
    await insertDeadLetters(harness.database.db.pool);
  });
  after(async () => await harness.stop());
  beforeEach(async () => (client = await harness.client()));

  const entries = async () =>
    await harness.sql<Entry>(
      'SELECT task_id, action, actor_id, created_at::text AS at FROM task_activity ORDER BY seq',
    );

  /** The events that follow from the activity entries of each task, with their actors. */
  function announced(log: readonly Entry[]): Map<string, string[]> {
    const last = new Map<string, Entry>();
    const events = new Map<string, string[]>();
    for (const entry of log) {
      const before = last.get(entry.task_id);
      last.set(entry.task_id, entry);
      const of = events.get(entry.task_id) ?? [];
      events.set(entry.task_id, of);
      const add = (name: string) => of.push(`${name} by ${entry.actor_id}`);
      // the changed fields of one request are announced together, and a skipped reminder is not
      if (entry.action === 'changed' && before?.action === 'changed' && before.at === entry.at) continue;
      if (entry.action === 'due_soon_skipped') continue;
      if (entry.action === 'created') for (const name of ['task.created', 'task.changed']) add(name);
      else if (entry.action.startsWith('comment_')) add(entry.action.replace('_', '.'));
      else add(`task.${entry.action}`);
    }
    return events;
  }

  /** The tasks whose events do not match their entries, and those whose version does not. */
  async function faults(): Promise<string[]> {
    const published = new Map<string, string[]>();
    const rows = await harness.sql<{ id: string; event: string }>(
      `SELECT payload ->> 'task_uuid' AS id, concat(replace(type, 'tasks.', ''), ' by ', coalesce(payload ->> 'actor', 'null')) AS event
       FROM outbox WHERE type LIKE 'tasks.task.%' OR type LIKE 'tasks.comment.%' ORDER BY outbox.id`,
    );
    for (const { id, event } of rows) published.set(id, [...(published.get(id) ?? []), event]);
    const expected = announced(await entries());
    const different = [...new Set([...published.keys(), ...expected.keys()])].flatMap((id) => {
      const [events, logged] = [published.get(id) ?? [], expected.get(id) ?? []].map((list) => list.join(', '));
      return events === logged ? [] : [`${id}: ${events} was published for ${logged}`];
    });
    const beside = actionsBesideTask.map((action) => `'${action}'`).join(', ');
    const versions = await harness.sql<{ fault: string }>(
      `SELECT concat(id, ': version ', version, ' after ', changes, ' changes') AS fault FROM tasks CROSS JOIN LATERAL (
         SELECT count(DISTINCT created_at) AS changes FROM task_activity WHERE task_id = tasks.id AND action NOT IN (${beside})
       ) AS log WHERE version <> changes`,
    );
    return [...different, ...versions.map(({ fault }) => fault)];
  }

  const at = ({ id }: { id: string }, by = manager): Call => ({
    token: by.token,
    params: { id },
    headers: { 'if-match': '*' },
  });
  const created = async (operation: Operation, body: unknown, by = manager): Promise<{ id: string }> => {
    const answer = await harness.call(operation, { token: by.token, body });
    expect(answer.status, JSON.stringify(answer.body)).to.equal(201);
    return answer.body as { id: string };
  };
  const task = async (body: Record<string, unknown> = {}) => await harness.createTask(manager, body);
  const withSubtask = async () => {
    const parent = await task();
    const below = await linkTools(harness).subtask(manager, parent, { assignee_id: ann.id });
    return { parent, below };
  };
  const blockedPair = async () => {
    const [blocked, blocker] = [await task(), await task({ assignee_id: ann.id })];
    await linkTools(harness).block(manager, blocked, blocker);
    return { blocked, blocker };
  };
  const comment = async () => {
    const { id } = await task();
    const added = await harness.call('addComment', { ...at({ id }, ann), body: { body: 'Hm.' } });
    return { ...at({ id }, ann), params: { id, comment_id: (added.body as { id: string }).id } };
  };
  const schedule = async () =>
    await created('createSchedule', {
      ...{ kind: 'cron', expression: '0 4 2 2 *', target: { kind: 'task', title: 'Check the roof', assign: 'random' } },
    });
  const view = async () => await created('createView', { name: 'Mine', sort: 'manual' });
  const template = {
    name: 'Move',
    task: { title: 'Move' },
    subtasks: [{ title: 'Pack' }, { title: 'Drive' }],
  };
  const leased = async () => {
    await jobTaskTools(harness, manager).create(client);
    return (await client.claim({ limit: 1 }))[0]!;
  };
  const byWorker = (lease: { id: string; lease_token: string }, more: object = {}): Call => ({
    ...{ token: client.token, params: { id: lease.id }, body: { lease_token: lease.lease_token, ...more } },
  });
  const dead = async () => {
    const lease = await leased();
    await client.settle('fail', lease, { final: true });
    return lease;
  };
  const letter = async (message: string) => {
    const sql = 'SELECT id::text FROM dead_letters WHERE message_id = $1';
    return (await harness.sql<{ id: string }>(sql, [message]))[0]!;
  };
  const filter = () => ({ filter: { queue: client.queue }, reason: 'a test' });
  const period = () => ({
    from: new Date(Date.now() - 180_000).toISOString(),
    to: new Date(Date.now() - 1_000).toISOString(),
  });

  const prepare: Record<string, () => Promise<Call>> = {
    searchTasks: async () => ({ token: ann.token, body: { q: 'fence' } }),
    createTask: async () => ({ token: manager.token, body: { title: 'Dig', assign: 'random' } }),
    changeTask: async () => {
      const { parent } = await withSubtask();
      const { id } = await createProject(harness, manager);
      return { ...at(parent), body: { title: 'Other', labels: ['home'], project_id: id } };
    },
    deleteTask: async () => {
      const { parent, below } = await withSubtask();
      await linkTools(harness).block(manager, await task(), below);
      return at(parent);
    },
    restoreTask: async () => {
      const { parent } = await withSubtask();
      await linkTools(harness).remove(manager, parent);
      return at(parent);
    },
    assignTask: async () => ({ ...at(await task({ assignee_id: ann.id })), body: { assignee_id: ben.id } }),
    transitionTask: async () => {
      const { blocker } = await blockedPair();
      await harness.transition(ann, blocker, 'in_progress');
      return { ...at(blocker, ann), body: { state: 'completed' } };
    },
    shuffleTasks: async () => {
      for (const _ of Array.from({ length: 6 })) await task({ assignee_id: ann.id });
      return { token: manager.token };
    },
    bulkTasks: async () => {
      const { blocker } = await blockedPair();
      const operations = [
        { op: 'create', body: { title: 'Dig' } },
        ...[
          { op: 'change', body: { title: 'Dig deep' } },
          { op: 'assign', body: { assignee_id: ann.id } },
        ].map((one) => ({ ...one, ref: '$0', if_match: '*' })),
        { op: 'transition', id: blocker.id, body: { state: 'cancelled' } },
        { op: 'delete', ref: '$0', if_match: '*' },
        { op: 'restore', ref: '$0' },
      ];
      return { token: manager.token, body: { atomic: true, operations } };
    },
    addComment: async () => ({ ...at(await task(), ann), body: { body: `<@${ben.id}>` } }),
    changeComment: async () => ({ ...(await comment()), body: { body: 'Done.' } }),
    deleteComment: comment,
    addBlocker: async () => ({ token: manager.token, params: { id: (await task()).id, other_id: (await task()).id } }),
    removeBlocker: async () => {
      const { blocked, blocker } = await blockedPair();
      return { token: manager.token, params: { id: blocked.id, other_id: blocker.id } };
    },
    enqueueJob: async () => ({ token: client.token, body: { queue: client.queue, kind: 'test' } }),
    enqueueJobs: async () => ({ token: client.token, body: { jobs: [{ queue: client.queue, kind: 'test' }] } }),
    cancelJob: async () => at((await jobTaskTools(harness, manager).create(client)).job),
    replayJob: async () => ({ ...at(await dead(), admin), body: { reason: 'a test' } }),
    replayJobs: async () => {
      await dead();
      return { token: admin.token, body: filter() };
    },
    dropJobs: async () => {
      await dead();
      return { token: admin.token, body: filter() };
    },
    setJobLimit: async () => ({
      ...{ token: admin.token, params: { queue: client.queue, key: 'a' }, body: { max_running: 1, rate: null } },
    }),
    claimJobs: async () => {
      await jobTaskTools(harness, manager).create(client);
      const body = { claim_id: randomUUID(), queues: [client.queue], limit: 1, worker: 'w1' };
      return { token: client.token, body };
    },
    heartbeatJobs: async () => ({
      ...{ token: client.token, body: { leases: [{ lease_token: (await leased()).lease_token }] } },
    }),
    settleJobs: async () => {
      const items = [{ lease_token: (await leased()).lease_token, complete: { result: 1 } }];
      return { token: client.token, body: { items } };
    },
    completeJob: async () => byWorker(await leased()),
    failJob: async () => byWorker(await leased(), { code: 'broken', message: 'It broke.' }),
    releaseJob: async () => byWorker(await leased()),
    previewSchedule: async () => ({ token: ann.token, body: { kind: 'cron', expression: '0 4 2 2 *' } }),
    createSchedule: async () => ({
      ...{ token: ann.token, body: { kind: 'cron', expression: '0 4 2 2 *', target: { kind: 'task', title: 'x' } } },
    }),
    changeSchedule: async () => ({ ...at(await schedule()), body: { expression: '0 5 2 2 *' } }),
    deleteSchedule: async () => at(await schedule()),
    pauseSchedule: async () => at(await schedule()),
    resumeSchedule: async () => at(await schedule()),
    triggerSchedule: async () => at(await schedule()),
    backfillSchedule: async () => {
      const { id } = await scheduleTools(harness).everyMinute(manager, 5, { overlap: 'allow' });
      await harness.sql(`UPDATE schedules SET created_at = created_at - interval '1 hour' WHERE id = $1`, [id]);
      return { ...at({ id }), body: period() };
    },
    createView: async () => ({ token: ann.token, body: { name: 'Mine' } }),
    changeView: async () => ({ ...at(await view()), body: { name: 'Ours' } }),
    deleteView: async () => at(await view()),
    moveTask: async () => {
      const [{ id }, other, { id: viewId }] = [await task(), await task(), await view()];
      return { ...at({ id }), body: { view_id: viewId, before_id: other.id } };
    },
    createTaskTemplate: async () => ({ token: ann.token, body: template }),
    changeTaskTemplate: async () => ({ ...at(await created('createTaskTemplate', template)), body: { name: 'Go' } }),
    deleteTaskTemplate: async () => at(await created('createTaskTemplate', template)),
    instantiateTaskTemplate: async () => ({
      ...at(await created('createTaskTemplate', template)),
      body: { values: {} },
    }),
    createProject: async () => ({ token: ann.token, body: { name: 'Garden' } }),
    changeProject: async () => ({ ...at(await createProject(harness, manager)), body: { archived: true } }),
    setProjectMember: async () => {
      const { id } = await createProject(harness, manager);
      return { token: manager.token, params: { id, user_id: ben.id }, body: { role: 'viewer' } };
    },
    removeProjectMember: async () => {
      const { id } = await projectOf(harness, manager, [[ben, 'viewer']]);
      return { token: manager.token, params: { id, user_id: ben.id } };
    },
    replayDeadLetter: async () => at(await letter('first'), admin),
    replayDeadLetters: async () => ({ token: admin.token, body: { filter: { type: 'auth.user.created' } } }),
    dropDeadLetter: async () => ({ ...at(await letter('second'), admin), body: { reason: 'a test' } }),
  };

  it('is looked for in every operation that is not a read, also in new ones', () => {
    const writing = Object.entries(tasksRoutes).flatMap(([name, { method }]) => (method === 'get' ? [] : [name]));
    expect(Object.keys(prepare)).to.have.members(writing);
    expect(writing).to.include.members(besideTasks);
  });

  const entriesWrittenBy = async (operation: string): Promise<number> => {
    const call = await prepare[operation]!();
    const before = (await entries()).length;
    const answer = await harness.call(operation as Operation, call);
    expect(answer.status, JSON.stringify(answer.body)).to.be.below(300);
    const written = (await entries()).length - before;
    expect((await faults()).join('\n')).to.equal('');
    return written;
  };

  for (const operation of Object.keys(prepare)) {
    if (besideTasks.includes(operation))
      it(`is not made by ${operation}`, async () => {
        expect(await entriesWrittenBy(operation)).to.equal(0);
      });
    else
      it(`by ${operation} has one event for each entry of the activity log`, async () => {
        expect(await entriesWrittenBy(operation)).to.be.above(0);
      });
  }

  it('by the service itself has one event for each entry, and a removal for good has none', async () => {
    const project = await projectOf(harness, manager, [
      [ann, 'contributor'],
      [ben, 'contributor'],
    ]);
    const inProject = await task({ project_id: project.id, assignee_id: ann.id });
    await setMember(harness, manager, project, ann, 'viewer');
    const due = await task({ assignee_id: ann.id, due_at: '2020-01-01T00:00:00Z' });
    const tools = scheduleTools(harness);
    const { id: scheduleId } = await tools.everyMinute(manager, -1);
    await harness.become(ben, 'manager');
    await harness.service.reassigner.tick();
    await harness.become(ben, 'member');
    await harness.service.reassigner.tick();
    while ((await harness.service.reminders.tick()) === 'more');
    await tools.run();
    const removed = await task();
    await linkTools(harness).remove(manager, removed);
    const seen = new Map<string, string[]>();
    for (const { task_id: id, action } of await entries()) seen.set(id, [...(seen.get(id) ?? []), action]);
    expect(seen.get(inProject.id)).to.include('unassigned');
    expect(seen.get(due.id)).to.include('overdue');
    expect(await tools.tasks({ id: scheduleId })).to.not.be.empty;
    expect((await faults()).join('\n')).to.equal('');
    const before = await harness.sql('SELECT FROM outbox');
    await harness.sql(`UPDATE tasks SET deleted_at = now() - interval '31 days' WHERE id = $1`, [removed.id]);
    while ((await harness.service.retention.tick()) === 'more');
    expect(await harness.sql('SELECT FROM tasks WHERE id = $1', [removed.id])).to.deep.equal([]);
    expect(await harness.sql('SELECT FROM outbox')).to.have.length(before.length);
  });

  it('would be reported if it lacked an event, an entry or a version (canary)', async () => {
    const [first, second, third] = [await task(), await task(), await task()];
    await harness.sql(
      `INSERT INTO outbox (type, aggregate_id, payload, headers)
       SELECT type, aggregate_id, payload, headers FROM outbox WHERE aggregate_id = $1 ORDER BY id LIMIT 1`,
      [first.id],
    );
    await harness.sql(`INSERT INTO task_activity (task_id, action, created_at) VALUES ($1, 'unblocked', now())`, [
      second.id,
    ]);
    await harness.sql('UPDATE tasks SET version = version + 1 WHERE id = $1', [third.id]);
    const found = await faults();
    for (const { id } of [first, second, third])
      expect(found.filter((fault) => fault.startsWith(id))).to.have.length(1);
  });
});
