import { readFileSync } from 'node:fs';
import { tasksRoutes, type Route } from '@taskwire/contracts';
import { walkAsOutsider } from '@taskwire/testing';
import { expect } from 'chai';
import { projectOf } from '../support/projects.ts';
import { searchTools } from '../support/search.ts';
import { tasksTeam, type Person, type TasksHarness } from '../support/tasks-harness.ts';

const secret = 'Zanzibar';

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
    await searchTools(harness).follow();
  });
  after(async () => await harness.stop());

  const walk = async (reader: Person) =>
    await walkAsOutsider({
      baseUrl: harness.service.http.url(),
      routes: tasksRoutes,
      token: reader.token,
      hidden: ({ path }) => {
        if (path.startsWith('/api/v1/tasks/{id}')) return { id: taskId, comment_id: commentId, other_id: taskId };
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
        ],
        searchTasks: [
          { body: { q: secret } },
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
        bulkTasks: [false, true].map((atomic) => ({
          body: { atomic, operations: hiddenOperations(reader).map((one) => ({ ...one, id: taskId, if_match: '*' })) },
        })),
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

  function valueOf(name: string): string {
    return (
      { project: projectId, assignee: ann.id, due_after: '2039-01-01T00:00:00Z', sort: 'priority' }[name] ?? secret
    );
  }

  it('finds its tasks in no operation, as if they did not exist', async () => {
    const { operations, faults } = await walk(ben);
    expect(faults).to.deep.equal([]);
    expect(operations).to.be.greaterThan(30);
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
