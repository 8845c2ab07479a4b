import { propertyRuns, propertyTimeoutMs, waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import fc from 'fast-check';
import type { Answer, Task } from './support/api.ts';
import { linkTools } from './support/links.ts';
import { projectOf } from './support/projects.ts';
import { tasksTeam, type Person, type TasksHarness } from './support/tasks-harness.ts';

const change = fc.oneof(
  fc.record({ title: fc.constantFrom('Paint', 'Mow', 'Dig') }),
  fc.record({ labels: fc.constantFrom([], ['home'], ['home', 'garden']), priority: fc.constantFrom('low', 'high') }),
  fc.record({ description: fc.constantFrom('', 'Slowly.') }),
  fc.record({ due_at: fc.constantFrom(null, '2040-01-01T00:00:00Z'), remind_before: fc.constantFrom('P1D', 'PT1H') }),
  fc.record({
    due_at: fc.constant('2040-01-01T00:00:00Z'),
    due_all_day: fc.constant(true),
    due_time_zone: fc.constant('Europe/Berlin'),
  }),
);

/** A step on one task. Many steps are refused. */
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('change' as const), body: change }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('assign' as const), to: fc.constantFrom('ann', 'ben', 'random') }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('transition' as const),
      state: fc.constantFrom('in_progress', 'in_progress', 'completed', 'cancelled'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('become' as const),
      who: fc.constantFrom('ann' as const, 'ben' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('move' as const), to: fc.constantFrom('one', 'other', 'none') }),
  },
  {
    weight: 1,
    arbitrary: fc.oneof(
      fc.record({ kind: fc.constant('comment' as const) }),
      fc.record({ kind: fc.constant('delete and restore' as const) }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.oneof(
      fc.record({ kind: fc.constant('go below' as const) }),
      fc.record({ kind: fc.constant('leave' as const) }),
      fc.record({ kind: fc.constant('delete and restore all' as const) }),
    ),
  },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

describe('A task at an earlier time', function () {
  this.timeout(propertyTimeoutMs);
  let harness: TasksHarness;
  let team: { manager: Person; ann: Person; ben: Person };
  /** Reads one of the projects only. */
  let viewer: Person;
  let projects: Record<string, string | null>;
  before(async () => {
    ({ harness, ...team } = await tasksTeam());
    viewer = await harness.join('Vic', 'member');
    const { manager, ann, ben } = team;
    const [one, other] = [
      await projectOf(harness, manager, [
        [ann, 'contributor'],
        [ben, 'contributor'],
        [viewer, 'viewer'],
      ]),
      await projectOf(harness, manager, [[ann, 'contributor']]),
    ];
    projects = { one: one.id, other: other.id, none: null };
  });
  after(async () => await harness.stop());

  const at = (task: Task, { token } = team.manager) => ({
    token,
    params: { id: task.id },
    headers: { 'if-match': '*' },
  });
  const readAt = async (task: Task, instant: string, reader = team.manager) =>
    await harness.call('getTask', { ...at(task, reader), query: { at: instant } });
  const isOpenToViewer = ({ project_id: id }: Task) => id === null || id === projects['one'];

  /** A move of a sub-task moves the task above it, which takes it along. */
  async function move(task: Task, above: Task, to: string): Promise<Answer | undefined> {
    const { parent_id: parentId } = await harness.read(team.manager, task);
    const body = { project_id: projects[to] };
    if (parentId === null) return await harness.call('changeTask', { ...at(task), body });
    await harness.call('changeTask', { ...at(above), body });
    return undefined;
  }

  async function take(task: Task, above: Task, one: Step): Promise<Answer | undefined> {
    const { ann, ben, manager } = team;
    if (one.kind === 'move') return await move(task, above, one.to);
    if (one.kind === 'go below') {
      const { project_id } = await harness.read(manager, above);
      return await harness.call('changeTask', { ...at(task), body: { parent_id: above.id, project_id } });
    }
    if (one.kind === 'leave') return await linkTools(harness).place(manager, task, null);
    if (one.kind === 'delete and restore all') {
      await harness.call('deleteTask', at(above));
      return void (await harness.call('restoreTask', at(above)));
    }
    if (one.kind === 'change') return await harness.call('changeTask', { ...at(task), body: one.body });
    if (one.kind === 'comment') return void (await harness.call('addComment', { ...at(task), body: { body: 'Hm.' } }));
    if (one.kind === 'delete and restore') {
      await harness.call('deleteTask', at(task));
      return await harness.call('restoreTask', at(task));
    }
    if (one.kind === 'assign') {
      const body = one.to === 'random' ? { assign: 'random' } : { assignee_id: one.to === 'ann' ? ann.id : ben.id };
      return await harness.call('assignTask', { ...at(task), body });
    }
    if (one.kind === 'transition') {
      const { assignee_id: assigneeId } = await harness.read(manager, task);
      const by = one.state === 'cancelled' ? manager : (Object.values(team).find(({ id }) => id === assigneeId) ?? ann);
      return await harness.call('transitionTask', { ...at(task, by), body: { state: one.state } });
    }
    const person = one.who === 'ann' ? ann : ben;
    person.role = person.role === 'member' ? 'manager' : 'member';
    await harness.become(person, person.role);
    await waitFor(async () => (await harness.service.reassigner.tick()) === 'idle');
    return undefined;
  }

  it('is what was returned for each of its versions', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 12, maxLength: 20 }), async (steps) => {
        const above = await harness.createTask(team.manager, { title: 'Prepare the garden' });
        const task = await harness.createTask(team.manager, { description: 'At first' });
        const versions = new Map([[task.version, task]]);
        const restored = new Set<number>();
        for (const one of steps) {
          const answer = await take(task, above, one);
          if (one.kind === 'delete and restore') restored.add((answer!.body as Task).version);
          const states = [await harness.read(team.manager, task)];
          if (answer !== undefined && answer.status < 300) states.unshift(answer.body as Task);
          for (const state of states) versions.set(state.version, state);
        }
        const known = [...versions.values()].toSorted((a, b) => a.version - b.version);
        for (const [index, version] of known.entries()) {
          const isOpen = isOpenToViewer(version) && isOpenToViewer(known.at(-1)!);
          expect((await readAt(task, version.updated_at, viewer)).status, 'to a viewer').to.equal(isOpen ? 200 : 404);
          expect((await readAt(task, version.updated_at)).body).to.deep.equal(version);
          const next = known[index + 1];
          if (restored.has(version.version))
            expect((await readAt(task, justBefore(version.updated_at))).status, 'while it was deleted').to.equal(404);
          if (next?.version !== version.version + 1) continue;
          expect((await readAt(task, justBefore(next.updated_at))).body).to.deep.equal(version);
        }
        expect((await readAt(task, task.created_at)).body, 'when it was created').to.deep.equal(task);
        expect((await readAt(task, justBefore(task.created_at))).status).to.equal(404);
        await harness.call('deleteTask', at(task));
        expect((await readAt(task, task.updated_at)).status).to.equal(404);
      }),
      { ...propertyRuns({ test: 2, drill: 60 }), endOnFailure: true },
    );
  });
});

/** A microsecond earlier. */
function justBefore(instant: string): string {
  return Temporal.Instant.from(instant).subtract({ microseconds: 1 }).toString({ fractionalSecondDigits: 6 });
}
