import { propertyRuns, propertyTimeoutMs } from '@taskwire/testing';
import { expect } from 'chai';
import fc from 'fast-check';
import type { Task } from '../support/api.ts';
import { createProject, moveTask, setMember, type ProjectRole } from '../support/projects.ts';
import { searchTools } from '../support/search.ts';
import { tasksTeam, type Person, type TasksHarness } from '../support/tasks-harness.ts';

/** Projects, users and tasks are given by their places in lists. A task outside of projects has null. */
type Step =
  | { kind: 'create'; project: number | null }
  | { kind: 'move'; task: number; project: number | null }
  | { kind: 'member'; project: number; user: number; role: ProjectRole | null };

const project = fc.nat(2);
const place = fc.option(project);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('create' as const), project: place }),
  fc.record({ kind: fc.constant('move' as const), task: fc.nat(5), project: place }),
  fc.record({
    ...{ kind: fc.constant('member' as const), project, user: fc.nat(2) },
    role: fc.constantFrom('lead', 'contributor', 'viewer', null),
  }),
);

describe('The tasks that a user reads', function () {
  this.timeout(propertyTimeoutMs);
  let harness: TasksHarness;
  let manager: Person;
  let users: Person[];

  before(async () => {
    const team = await tasksTeam();
    ({ harness, manager } = team);
    users = [team.ann, team.ben, await harness.join('Cas', 'member')];
  });
  after(async () => await harness.stop());

  it('are those outside of projects and those of their projects, in every kind of list, after any changes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 12 }), async (steps) => await play(steps)),
      { ...propertyRuns({ test: 4, drill: 100 }), endOnFailure: true },
    );
  });

  /** Carries out the steps with a label of their own, and compares what each user reads with a model. */
  async function play(steps: readonly Step[]): Promise<void> {
    const label = `run ${crypto.randomUUID().slice(0, 8)}`;
    const projects = await Promise.all([0, 1, 2].map(async () => await createProject(harness, manager)));
    const tasks: { task: Task; project: number | null }[] = [];
    const members = projects.map(() => new Set<number>());
    const idOf = (one: number | null) => (one === null ? null : (projects[one]?.id ?? null));

    for (const one of steps) {
      if (one.kind === 'create') {
        const body = { title: `Dig ${label}`, labels: [label], project_id: idOf(one.project) };
        tasks.push({ task: await harness.createTask(manager, body), project: one.project });
      } else if (one.kind === 'move') {
        const moved = tasks[one.task % Math.max(1, tasks.length)];
        if (moved === undefined) continue;
        await moveTask(harness, manager, moved.task, idOf(one.project));
        moved.project = one.project;
      } else await changeMember(projects[one.project]?.id ?? '', one, members[one.project]);
    }
    await searchTools(harness).follow();
    for (const [place, user] of users.entries()) {
      const isReadable = (at: number | null) => at === null || members[at]?.has(place) === true;
      const expected = tasks.filter(({ project: at }) => isReadable(at)).map(({ task }) => task.id);
      await expectReadable(
        user,
        label,
        expected,
        tasks.map(({ task }) => task.id),
      );
    }
    await expectReadable(
      manager,
      label,
      tasks.map(({ task }) => task.id),
      [],
    );
  }

  async function changeMember(
    id: string,
    { user, role }: Extract<Step, { kind: 'member' }>,
    members: Set<number> | undefined,
  ): Promise<void> {
    const person = users[user];
    if (person === undefined) return;
    if (role === null) {
      const params = { id, user_id: person.id };
      await harness.call('removeProjectMember', { token: manager.token, params });
      members?.delete(user);
    } else {
      await setMember(harness, manager, { id }, person, role);
      members?.add(user);
    }
  }

  async function expectReadable(
    { token }: Person,
    label: string,
    expected: readonly string[],
    all: readonly string[],
  ): Promise<void> {
    const ids = async (query: Record<string, string>) => {
      const { body } = await harness.call('listTasks', { token, query: { limit: '100', ...query } });
      return (body as { data: Task[] }).data.map(({ id }) => id);
    };
    for (const query of [{ label }, { label, sort: 'due_at' }, { q: label }, { q: label, sort: 'updated_at' }])
      expect(await ids(query), JSON.stringify(query)).to.have.members(expected);
    const { body } = await harness.call('listLabels', { token, query: { prefix: label } });
    const counts = (body as { data: { count: number }[] }).data.map(({ count }) => count);
    expect(counts, 'labels').to.deep.equal(expected.length === 0 ? [] : [expected.length]);
    const suggested = await harness.call('suggestTasks', { token, query: { q: `Dig ${label}` } });
    const found = (suggested.body as { data: { id: string; title: string }[] }).data;
    const own = found.filter(({ title }) => title === `Dig ${label}`).map(({ id }) => id);
    expect(own, 'suggestions').to.have.length(Math.min(10, expected.length));
    expect(expected, 'suggestions').to.include.members(own);
    for (const id of all) {
      const { status } = await harness.call('getTask', { token, params: { id } });
      expect(status).to.equal(expected.includes(id) ? 200 : 404);
    }
  }
});
