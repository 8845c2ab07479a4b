import { readFileSync } from 'node:fs';
import { tasksRoutes, type Route } from '@taskwire/contracts';
import { walkAsOutsider } from '@taskwire/testing';
import { expect } from 'chai';
import { projectOf } from '../support/projects.ts';
import { searchTools } from '../support/search.ts';
import { tasksTeam, type Person, type TasksHarness } from '../support/tasks-harness.ts';

const secret = 'Zanzibar';

/** The operations that the walk does not call, by the reason. A new operation is called or listed here. */
const notWalked = {
  'they are open to managers and admins, who read every project': [
    'shuffleTasks',
    ...['enqueueJob', 'enqueueJobs', 'getJob', 'listJobs', 'cancelJob', 'listJobLimits'],
    ...['replayJob', 'replayJobs', 'dropJobs', 'setJobLimit'],
    ...['listTasksDeadLetters', 'getTasksDeadLetter', 'replayTasksDeadLetter', 'replayTasksDeadLetters'],
    ...['dropTasksDeadLetter', 'listTaskJourney'],
  ],
  'services call them, with a token of their own': [
    ...['getInternalTask', 'getInternalTasks'],
    ...['claimJobs', 'heartbeatJobs', 'settleJobs', 'completeJob', 'failJob', 'releaseJob'],
  ],
  'a view shows only what its author wrote, and not the tasks': ['getView', 'changeView', 'deleteView'],
  'a template is in no project and belongs to its author': [
    ...['getTaskTemplate', 'changeTaskTemplate', 'deleteTaskTemplate', 'instantiateTaskTemplate'],
  ],
};

describe('A user outside of a project', () => {
  let harness: TasksHarness;
  let manager: Person;
  let ann: Person;
  let ben: Person;
  let viewer: Person;
  let projectId: string;
  let taskId: string;
  let deletedId: string;
  let commentId: string;
  let scheduleId: string;
  /** A task that every user reads, and that waits for a hidden one. */
  let openId: string;
  /** A view in manual order that every user reads, and that shows all tasks. */
  let viewId: string;
  /** A time at which the hidden task existed. */
  let then: string;

  before(async () => {
    ({ harness, manager, ann, ben } = await tasksTeam());
    viewer = await harness.join('Vic', 'member');
    const members = [
      [ann, 'contributor'],
      [viewer, 'viewer'],
    ] as const;
    projectId = (await projectOf(harness, manager, members)).id;
    const content = { title: `Paint ${secret}`, description: secret, labels: [secret], due_at: '2040-01-01T00:00:00Z' };
    const task = await harness.createTask(manager, { ...content, project_id: projectId, assignee_id: ann.id });
    taskId = task.id;
    const { id } = await harness.createTask(manager, { ...content, project_id: projectId });
    await harness.call('deleteTask', { token: manager.token, params: { id }, headers: { 'if-match': '*' } });
    deletedId = id;
    const at = { token: ann.token, params: { id: taskId } };
    const added = await harness.call('addComment', { ...at, body: { body: `About ${secret}` } });
    commentId = (added.body as { id: string }).id;
    const target = { kind: 'task', title: secret, project_id: projectId };
    scheduleId = await create('createSchedule', manager, { kind: 'every', expression: 'P1D', target });
    openId = (await harness.createTask(manager, { title: 'Open', assignee_id: ben.id })).id;
    // its id is no secret: the activity log of the open task has it, without a title
    const blocker = await harness.createTask(manager, { ...content, project_id: projectId });
    const links = { token: manager.token, params: { id: openId, other_id: blocker.id } };
    expect((await harness.call('addBlocker', links)).status).to.equal(204);
    viewId = await create('createView', ann, { name: 'Everything', shared: true, sort: 'manual' });
    then = new Date().toISOString();
    await searchTools(harness).follow();
  });
  const create = async (operation: 'createSchedule' | 'createView', { token }: Person, body: object) => {
    const answer = await harness.call(operation, { token, body });
    expect(answer.status, JSON.stringify(answer.body)).to.equal(201);
    return (answer.body as { id: string }).id;
  };
  after(async () => await harness.stop());

  const walk = async (reader: Person) =>
    await walkAsOutsider({
      baseUrl: harness.service.http.url(),
      routes: tasksRoutes,
      token: reader.token,
      hidden: ({ path }) => {
        if (path.startsWith('/api/v1/tasks/{id}')) return { id: taskId, comment_id: commentId, other_id: taskId };
        if (path.startsWith('/api/v1/schedules/{id}')) return { id: scheduleId };
        return path.startsWith('/api/v1/projects/{id}') ? { id: projectId, user_id: ann.id } : undefined;
      },
      exampleOf,
      requests: {
        listTasks: [
          {},
          ...['project', 'assignee', 'label', 'label_all', 'q', 'due_after', 'sort'].map((name) => ({
            query: { [name]: valueOf(name) },
          })),
          ...[{}, { project: projectId }].map((more) => ({ query: { deleted: 'true', ...more } })),
          { query: { q: secret.slice(0, 5), sort: '-created_at' } },
          { query: { include: 'stats' } },
        ],
        getTask: [
          {},
          { query: { at: then } },
          { query: { include: 'stats' } },
          ...[{}, { at: then }, { include: 'stats' }].map((query) => ({ params: { id: openId }, query })),
        ],
        listActivity: [{}, { params: { id: openId } }],
        transitionTask: [{}, { params: { id: openId }, body: { state: 'in_progress' } }],
        listViewTasks: [{}, { include: 'stats' }].map((query) => ({ params: { id: viewId }, query })),
        moveTask: [
          { body: { view_id: viewId, after_id: openId } },
          { params: { id: openId }, body: { view_id: viewId, after_id: taskId } },
        ],
        searchTasks: [
          { body: { q: secret } },
          { body: { include: 'stats' } },
          { body: { filter: { field: 'project', op: 'eq', value: projectId } } },
          ...['parent', 'blocks', 'blocked_by'].map((field) => ({
            body: { filter: { field, op: 'eq', value: taskId } },
          })),
          { body: { filter: { or: [{ field: 'label', op: 'eq', value: secret }] }, sort: 'due_at' } },
        ],
        suggestTasks: [{ query: { q: secret } }],
        listLabels: [{}, { query: { prefix: secret.slice(0, 3) } }],
        createTask: [{ body: { title: 'Mine' } }, { body: { title: 'Mine', project_id: projectId } }],
        createSchedule: [null, projectId].map((project) => ({
          body: { kind: 'every', expression: 'P1D', target: { kind: 'task', title: 'Mine', project_id: project } },
        })),
        changeTask: [{ body: { title: 'Mine' } }, { body: { project_id: null } }],
        assignTask: [{ body: { assignee_id: reader.id } }],
        changeProject: [{ body: { name: 'Mine' } }],
        setProjectMember: [{ body: { role: 'lead' } }],
        bulkTasks: [false, true].flatMap((atomic) => [
          ...[hiddenOperations(reader).map((one) => ({ ...one, id: taskId, if_match: '*' })), withReferences()].map(
            (operations) => ({ body: { atomic, operations } }),
          ),
        ]),
      },
      secrets: [secret, taskId, deletedId, commentId],
      snapshot: async () => [
        await harness.read(manager, { id: taskId }),
        await harness.activity(manager, { id: taskId }),
        (await harness.call('listComments', { token: manager.token, params: { id: taskId } })).body,
      ],
    });

  const hiddenOperations = ({ id }: Person) => [
    { op: 'change', body: { title: 'Mine' } },
    { op: 'assign', body: { assignee_id: id } },
    { op: 'transition', body: { state: 'cancelled' } },
    { op: 'delete' },
    { op: 'restore' },
    { op: 'comment', body: { body: 'Mine' } },
    { op: 'block', other_id: taskId },
    { op: 'unblock', other_id: taskId },
  ];

  /** Operations that link a task of the outsider and a hidden one. */
  const withReferences = () => [
    { op: 'create', body: { title: 'Mine' } },
    { op: 'block', ref: '$0', other_id: taskId },
    { op: 'block', id: taskId, if_match: '*', other_ref: '$0' },
    { op: 'change', ref: '$0', body: { parent_id: taskId } },
    { op: 'change', id: taskId, if_match: '*', parent_ref: '$0', body: {} },
    { op: 'create', body: { title: 'Mine', parent_id: taskId } },
  ];

  function valueOf(name: string): string {
    return (
      { project: projectId, assignee: ann.id, due_after: '2039-01-01T00:00:00Z', sort: 'priority' }[name] ?? secret
    );
  }

  it('finds its tasks in no operation, as if they did not exist', async () => {
    const { omitted, faults } = await walk(ben);
    expect(faults).to.deep.equal([]);
    expect(omitted).to.have.members(Object.values(notWalked).flat());
  });

  it('would fail this walk if an operation showed them (canary: the walk of a viewer)', async () => {
    const { faults } = await walk(viewer);
    for (const operation of ['listTasks', 'searchTasks', 'suggestTasks', 'listLabels', 'getTask', 'listActivity']) {
      expect(
        faults.filter((fault) => fault.startsWith(`${operation}: `)),
        operation,
      ).to.not.be.empty;
    }
  });
});

type Documents = { paths: Record<string, Record<string, Operation>> };
type Operation = { requestBody?: { content: Record<string, { example?: unknown }> } };

const documents: Documents = JSON.parse(
  readFileSync(new URL('../../../../contracts/openapi/tasks.json', import.meta.url), 'utf8'),
);

/** The example in the documentation of an operation. */
function exampleOf({ path, method }: Route): unknown {
  return documents.paths[path]?.[method]?.requestBody?.content['application/json']?.example;
}
