import { query } from '@taskwire/postgres';
import { propertyRuns, propertyTimeoutMs } from '@taskwire/testing';
import { expect } from 'chai';
import fc from 'fast-check';
import { startCopy, type Copy } from '../support/copy.ts';
import { createProject, setMember } from '../support/projects.ts';
import { tasksTeam, type Person, type TasksHarness } from '../support/tasks-harness.ts';

const places = 3;
const tasks = 8;
const place = fc.option(fc.nat(places - 1), { nil: null });
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('join' as const), project: fc.nat(places - 1) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('leave' as const), project: fc.nat(places - 1) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('move' as const), task: fc.nat(tasks - 1), to: place }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('change' as const), task: fc.nat(tasks - 1) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), task: fc.nat(tasks - 1) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove for good' as const) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('read' as const), copy: fc.nat(1) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

describe('A copy of the tasks that a user may read', function () {
  this.timeout(propertyTimeoutMs);
  let harness: TasksHarness;
  let manager: Person;
  let ann: Person;
  before(async () => ({ harness, manager, ann } = await tasksTeam({ PROCESS_ROLE: 'api' })));
  after(async () => await harness.stop());

  const sql = async <R extends object>(text: string, values: unknown[] = []) =>
    await query<R>(harness.database.db.pool, text, values);
  const as = ({ token }: Person, id: string) => ({ token, params: { id }, headers: { 'if-match': '*' } });

  /** Removes the tasks of earlier runs, which each new copy would otherwise read, one or three at a time. */
  async function removeTasks(): Promise<void> {
    await sql('UPDATE tasks SET deleted_at = clock_timestamp() WHERE deleted_at IS NULL');
    await sql(`SELECT remove_deleted_tasks(interval '0', 1000)`);
  }

  async function take(one: Step, world: { projects: string[]; ids: string[]; copies: Copy[] }): Promise<void> {
    const { projects, ids, copies } = world;
    if (one.kind === 'read') return void (await copies[one.copy]!.read());
    if (one.kind === 'remove for good') return void (await sql(`SELECT remove_deleted_tasks(interval '0', 1000)`));
    if (one.kind === 'join' || one.kind === 'leave') {
      const id = projects[one.project]!;
      if (one.kind === 'join') return void (await setMember(harness, manager, { id }, ann, 'viewer'));
      return void (await harness.call('removeProjectMember', {
        token: manager.token,
        params: { id, user_id: ann.id },
      }));
    }
    const at = as(manager, ids[one.task]!);
    if (one.kind === 'delete') return void (await harness.call('deleteTask', at));
    const body =
      one.kind === 'move' ? { project_id: one.to === null ? null : projects[one.to] } : { title: crypto.randomUUID() };
    await harness.call('changeTask', { ...at, body });
  }

  it('ends equal to them, however tasks, members and pages follow one another', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 60 }), async (steps) => {
        await removeTasks();
        const projects: string[] = [];
        while (projects.length < places) projects.push((await createProject(harness, manager)).id);
        const ids: string[] = [];
        for (let n = 0; n < tasks; n++) ids.push((await harness.createTask(manager)).id);
        const copies = [startCopy(harness, 'syncTasks', ann, 1), startCopy(harness, 'syncTasks', ann, 3)];
        const manage = startCopy(harness, 'syncTasks', manager, 50);
        for (const one of steps) await take(one, { projects, ids, copies });
        const readable = await sql<{ id: string; version: number }>(
          `SELECT id, version FROM tasks WHERE deleted_at IS NULL
             AND (project_id IS NULL OR project_id IN (SELECT project_id FROM project_members WHERE user_id = $1)) ORDER BY id`,
          [ann.id],
        );
        for (const copy of copies) {
          await copy.catchUp();
          expect(held(copy)).to.deep.equal(readable);
        }
        await manage.catchUp();
        expect(held(manage)).to.deep.equal(
          await sql('SELECT id, version FROM tasks WHERE deleted_at IS NULL ORDER BY id'),
        );
      }),
      { ...propertyRuns({ test: 3, drill: 100 }), endOnFailure: true },
    );
  });

  it('drops a task that left its place in one page, and would have come in the next from a project that was lost in between', async () => {
    const [hidden, shared] = [await createProject(harness, manager), await createProject(harness, manager)];
    await setMember(harness, manager, shared, ann, 'viewer');
    const { id } = await harness.createTask(manager);
    const copy = startCopy(harness, 'syncTasks', ann, 1);
    await copy.catchUp();
    const moveTo = async (project: string) =>
      await harness.call('changeTask', { ...as(manager, id), body: { project_id: project } });
    await moveTo(hidden.id);
    const other = await harness.createTask(manager);
    await moveTo(shared.id);
    while (!copy.items.has(other.id)) await copy.read();
    await harness.call('removeProjectMember', {
      token: manager.token,
      params: { id: shared.id, user_id: ann.id },
    });
    await copy.catchUp();
    expect(copy.items.has(id)).to.equal(false);
  });

  it('gets removed tasks of other projects neither by id nor otherwise', async () => {
    const project = (await createProject(harness, manager)).id;
    const { id } = await harness.createTask(manager);
    const move = await harness.call('changeTask', { ...as(manager, id), body: { project_id: project } });
    expect(move.status).to.equal(200);
    const copy = startCopy(harness, 'syncTasks', ann);
    await copy.catchUp();
    await harness.call('deleteTask', as(manager, id));
    expect((await copy.read()).data).to.deep.equal([]);
    await sql(`SELECT remove_deleted_tasks(interval '0', 1000)`);
    expect((await copy.read()).data).to.deep.equal([]);
  });
});

function held({ items }: Copy) {
  return [...items.values()].map(({ id, version }) => ({ id, version })).toSorted((a, b) => (a.id < b.id ? -1 : 1));
}
