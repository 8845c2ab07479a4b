import { expect } from 'chai';
import fc from 'fast-check';
import { tasksRoutes, type Party } from '@taskwire/contracts';
import { Problem } from '@taskwire/errors';
import { assign, awaitPerformer } from '../src/domain/assignment.ts';
import { edit, remove } from '../src/domain/content.ts';
import type { Change } from '../src/domain/change.ts';
import { byUser, creation } from '../src/domain/creation.ts';
import { isAllowed, outsideOfProjects, type Action } from '../src/domain/permissions.ts';
import { isOpen, type Actor, type Role, type Task, type TaskState } from '../src/domain/task.ts';
import { authorizeTransition, changeState } from '../src/domain/transitions.ts';

const states: TaskState[] = ['draft', 'assigned', 'in_progress', 'completed', 'cancelled'];
const draft: Task = {
  id: 'task',
  title: 'Paint the fence',
  description: '',
  state: 'draft',
  priority: 'normal',
  due_at: null,
  due_time_zone: null,
  due_all_day: false,
  remind_before: 'P1D',
  labels: [],
  creator_id: 'cora',
  assignee_id: null,
  awaiting_performer: false,
  kind: 'task',
  job_id: null,
  project_id: null,
  parent_id: null,
  is_linked: false,
  version: 1,
};

function inState(state: TaskState): Task {
  return { ...draft, state, assignee_id: state === 'draft' ? null : 'ann' };
}

function codeOf(work: () => unknown): string {
  try {
    work();
    return 'allowed';
  } catch (error) {
    return (error as Problem).code;
  }
}

describe('The states of a task', () => {
  it('lead from draft to assigned, in_progress and completed, and to cancelled from all but completed', () => {
    const legal = new Set(
      ['assigned>in_progress', 'in_progress>completed'].concat(
        ['draft', 'assigned', 'in_progress'].map((state) => `${state}>cancelled`),
      ),
    );
    for (const from of states) {
      for (const to of states) {
        const expected = legal.has(`${from}>${to}`) ? 'allowed' : 'illegal_transition';
        expect(
          codeOf(() => changeState(inState(from), to)),
          `${from} > ${to}`,
        ).to.equal(expected);
      }
    }
  });

  it('name the legal transitions, and the operation for them, in a rejection', () => {
    const refusal = (from: TaskState, to: TaskState) => {
      try {
        changeState(inState(from), to);
      } catch (error) {
        return (error as Problem).detail;
      }
      return 'allowed';
    };
    const assigning = 'POST /api/v1/tasks/{id}/assign, for example {"assign": "random"}';
    expect(refusal('draft', 'completed')).to.equal(
      `A task that is draft cannot become completed. It can become cancelled, for example {"state": "cancelled"}, or be assigned with ${assigning}.`,
    );
    expect(refusal('assigned', 'completed')).to.equal(
      'A task that is assigned cannot become completed. It can become in_progress or cancelled, for example {"state": "in_progress"}.',
    );
    expect(refusal('in_progress', 'assigned')).to.include(assigning);
    expect(refusal('completed', 'in_progress')).to.equal(
      'A task that is completed has ended and cannot become in_progress; create another task.',
    );
  });

  it('allow assignment until the task has ended, and reset a task in progress to assigned', () => {
    for (const state of states) {
      const expected = ['completed', 'cancelled'].includes(state) ? 'illegal_transition' : 'allowed';
      expect(
        codeOf(() => assign(inState(state), 'ben', byUser)),
        state,
      ).to.equal(expected);
    }
    expect(assign(inState('in_progress'), 'ben', byUser).set.state).to.equal('assigned');
  });
});

describe('The permissions', () => {
  const people: Record<string, Actor> = {
    admin: { id: 'adam', role: 'admin' },
    manager: { id: 'mona', role: 'manager' },
    creator: { id: 'cora', role: 'member' },
    assignee: { id: 'ann', role: 'member' },
    'other member': { id: 'otto', role: 'member' },
  };
  const members = { lead: 'lead', contributor: 'contributor', viewer: 'viewer' } as const;
  const member: Actor = { id: 'otto', role: 'member' };
  const { objects: transition } = tasksRoutes.transitionTask.access;
  // the rules of the contract, from which the descriptions and contracts/permissions.md are generated
  const table: Record<Action, readonly Party[]> = {
    change: tasksRoutes.changeTask.access.objects,
    delete: tasksRoutes.deleteTask.access.objects,
    restore: tasksRoutes.restoreTask.access.objects,
    assign: tasksRoutes.assignTask.access.objects,
    start: transition.in_progress,
    complete: transition.completed,
    cancel: transition.cancelled,
    override: transition.force,
    // the field parent_id of createTask and changeTask
    divide: ['admin', 'manager', 'creator', 'assignee', 'lead', 'contributor'],
    comment: tasksRoutes.addComment.access.objects,
    create: ['writer'],
    leave: ['admin', 'manager', 'creator', 'lead'],
  };
  const writers = ['admin', 'manager', 'lead', 'contributor'];
  for (const [action, allowed] of Object.entries(table) as [Action, readonly Party[]][]) {
    it(`let only ${allowed.join(', ')} ${action} a task`, () => {
      const task = { ...inState('assigned'), ...outsideOfProjects };
      const found = Object.keys(people).filter((who) => isAllowed(action, people[who] as Actor, task));
      const outside = allowed.filter((party) => party !== 'lead' && party !== 'contributor');
      expect(found).to.have.members(allowed.includes('writer') ? Object.keys(people) : outside);
    });

    it(`let only the members of its project with a suitable role ${action} a task in a project`, () => {
      const task = { ...inState('assigned'), ...outsideOfProjects, project_id: 'garden' };
      const found = [
        ...Object.keys(people).filter((who) =>
          isAllowed(action, people[who] as Actor, { ...task, project_role: null }),
        ),
        ...Object.values(members).filter((role) => isAllowed(action, member, { ...task, project_role: role })),
      ];
      const inProject = allowed.filter((party) => party !== 'creator' && party !== 'assignee');
      expect(found).to.have.members(allowed.includes('writer') ? writers : inProject);
    });
  }

  it('let the assignee start and complete a task in a project only as a contributor or lead of it', () => {
    const task = { ...inState('assigned'), ...outsideOfProjects, project_id: 'garden' };
    for (const action of ['start', 'complete'] as const) {
      const found = [...Object.values(members), null].filter((role) =>
        isAllowed(action, people['assignee'] as Actor, { ...task, project_role: role }),
      );
      expect(found, action).to.have.members(['lead', 'contributor']);
    }
  });

  it('reject a transition by the wrong user before its state is checked', () => {
    const person: Actor = { id: 'otto', role: 'member' };
    expect(
      codeOf(() => authorizeTransition(person, { ...inState('completed'), ...outsideOfProjects }, 'in_progress')),
    ).to.equal('forbidden');
    expect(
      codeOf(() => authorizeTransition(person, { ...inState('draft'), ...outsideOfProjects }, 'assigned')),
    ).to.equal('allowed');
  });
});

describe('The events of a change', () => {
  it('are created, changed and assigned for a new task with an assignee', () => {
    const { events, log } = creation('ann', byUser);
    expect(events).to.deep.equal([
      { type: 'tasks.task.created' },
      { type: 'tasks.task.changed' },
      { type: 'tasks.task.assigned', assigned_to: 'ann' },
    ]);
    expect(log.map((entry) => entry.action)).to.deep.equal(['created', 'assigned']);
  });

  it('are unassigned and assigned for a reassignment', () => {
    expect(assign(inState('assigned'), 'ben', { reason: 'why' }).events).to.deep.equal([
      { type: 'tasks.task.unassigned', unassigned_from: 'ann' },
      { type: 'tasks.task.assigned', assigned_to: 'ben' },
    ]);
  });

  it('are none for an assignment to the current assignee', () => {
    expect(assign(inState('in_progress'), 'ann', byUser)).to.deep.equal({ set: {}, events: [], log: [] });
  });

  it('are unassigned and deleted for the deletion of an open task, and only deleted for a closed one', () => {
    expect(remove(inState('in_progress')).events.map((event) => event.type)).to.deep.equal([
      'tasks.task.unassigned',
      'tasks.task.deleted',
    ]);
    expect(remove(inState('completed')).events).to.deep.equal([{ type: 'tasks.task.deleted' }]);
  });

  it('are a single changed for any number of changed fields, with an activity entry for each', () => {
    const change = edit(draft, { title: 'Paint the gate', priority: 'high', description: '' });
    expect(change.events).to.deep.equal([{ type: 'tasks.task.changed' }]);
    expect(change.log.map(({ field, from, to }) => ({ field, from, to }))).to.deep.equal([
      { field: 'title', from: 'Paint the fence', to: 'Paint the gate' },
      { field: 'priority', from: 'normal', to: 'high' },
    ]);
  });

  it('name the last assignee of a cancelled task, or null', () => {
    expect(changeState(draft, 'cancelled').events).to.deep.equal([{ type: 'tasks.task.cancelled', assigned_to: null }]);
    expect(changeState(inState('assigned'), 'cancelled').events).to.deep.equal([
      { type: 'tasks.task.cancelled', assigned_to: 'ann' },
    ]);
  });
});

describe('Any history of a task', () => {
  type Step = (task: Task) => Change;
  const performer = fc.constantFrom('ann', 'ben', 'cas');
  const step: fc.Arbitrary<Step> = fc.oneof(
    performer.map(
      (id): Step =>
        (task) =>
          assign(task, id, byUser),
    ),
    fc.constantFrom(...states).map(
      (to): Step =>
        (task) =>
          changeState(task, to),
    ),
    fc.string().map(
      (title): Step =>
        (task) =>
          edit(task, { title }),
    ),
    fc.constant<Step>((task) =>
      isOpen(task.state) ? awaitPerformer(task, 'no other member is left') : edit(task, {}),
    ),
  );

  function play(steps: readonly Step[]) {
    let task = draft;
    const done: Change[] = [];
    for (const one of steps) {
      try {
        const change = one(task);
        task = { ...task, ...change.set };
        done.push(change);
      } catch (error) {
        expect(error).to.be.instanceOf(Problem);
      }
    }
    return { task, done };
  }

  it('has an assignee exactly while the task is not a draft, unless it was cancelled as one', () => {
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const { task } = play(steps);
        if (task.state === 'draft') expect(task.assignee_id).to.equal(null);
        if (isOpen(task.state) || task.state === 'completed') expect(task.assignee_id).not.to.equal(null);
        if (task.awaiting_performer) expect(task.state).to.equal('draft');
      }),
    );
  });

  it('can be rebuilt from its events: the last assigned user who was not unassigned is the assignee', () => {
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const { task, done } = play(steps);
        let holder: string | null = null;
        for (const event of done.flatMap((change) => change.events)) {
          if (event.type === 'tasks.task.unassigned') {
            expect(event.unassigned_from).to.equal(holder);
            holder = null;
          } else if (event.type === 'tasks.task.assigned') {
            expect(holder).to.equal(null);
            holder = event.assigned_to;
          } else if ('assigned_to' in event) {
            expect(event.assigned_to).to.equal(holder);
          }
        }
        expect(holder).to.equal(task.assignee_id);
      }),
    );
  });

  it('has an activity entry for every event, in the same order', () => {
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const { done } = play(steps);
        const published = done.flatMap((change) => change.events.map((event) => event.type.replace('tasks.task.', '')));
        expect(done.flatMap((change) => change.log.map((entry) => entry.action))).to.deep.equal(published);
      }),
    );
  });

  it('never leaves an ended state', () => {
    fc.assert(
      fc.property(fc.constantFrom<TaskState>('completed', 'cancelled'), step, (state, one) => {
        const task = inState(state);
        let change: Change | undefined;
        try {
          change = one(task);
        } catch (error) {
          expect(error).to.be.instanceOf(Problem);
        }
        expect(change?.set.state).to.equal(undefined);
      }),
    );
  });

  it('allows only the roles of the permission table', () => {
    const roles: Role[] = ['admin', 'manager', 'member'];
    fc.assert(
      fc.property(fc.constantFrom(...roles), fc.string(), (role, id) => {
        fc.pre(id !== draft.creator_id);
        expect(isAllowed('change', { id, role }, { ...draft, ...outsideOfProjects })).to.equal(role !== 'member');
        expect(isAllowed('start', { id, role }, { ...draft, ...outsideOfProjects })).to.equal(false);
      }),
    );
  });
});
