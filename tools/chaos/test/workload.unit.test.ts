import { expect } from 'chai';
import { createRandom } from '../random.ts';
import { admin, createKnownState, reassigner, type KnownState } from '../workload/actors.ts';
import { createGenerator } from '../workload/generate.ts';
import { observe } from '../workload/observe.ts';
import { requestOf } from '../workload/requests.ts';
import type { Operation } from '../evidence.ts';
import type { Intent } from '../workload/intent.ts';

function newKnownState(): KnownState {
  const known = createKnownState();
  known.addUser(admin, 'admin');
  known.addUser(reassigner, 'manager');
  return known;
}

function stateWithAdmin(): KnownState {
  const known = newKnownState();
  known.users.get(admin)!.token = 'token';
  return known;
}

/** The response of a suite without faults. */
function answerTo(known: KnownState, n: number, intent: Intent): Operation {
  const user = 'user' in intent ? (known.users.get(intent.user) ?? known.addUser(intent.user, 'member')) : undefined;
  const task = 'task' in intent ? known.tasks.get(intent.task) : undefined;
  const comment = 'comment' in intent ? known.comments.get(intent.comment) : undefined;
  const id = user?.id ?? task?.id ?? comment?.id ?? `id-${n}`;
  const role = 'role' in intent ? intent.role : user?.role;
  const place = 'into' in intent ? { project_id: intent.into } : {};
  const answer =
    intent.kind === 'login'
      ? { access_token: 'token', user: { id, role } }
      : {
          id,
          version: (task?.version ?? 0) + 1,
          state: 'assigned',
          creator_id: 'id-1',
          assignee_id: null,
          role,
          ...place,
        };
  const attempts = [{ began: n, ended: n, status: 200 }];
  const body = answer as NonNullable<Operation['answer']>;
  return {
    ...{ n, at: n, intent, attempts, answer: body },
    actorId: 'actor' in intent ? (known.users.get(intent.actor)?.id ?? null) : null,
    subjectId: 'on' in intent ? (known.tasks.get(intent.on)?.id ?? null) : null,
    outcome: 'acknowledged',
    replays: [],
  };
}

function firstIntents(seed: string, count: number): Intent[] {
  const known = newKnownState();
  const generate = createGenerator(createRandom(seed), known, 'all requests');
  return Array.from({ length: count }, (_, n) => {
    const { intent } = generate(n);
    observe(known, answerTo(known, n, intent), n);
    return intent;
  });
}

describe('the traffic', () => {
  it('is the same for the same seed and the same responses', () => {
    expect(firstIntents('a', 300)).deep.equal(firstIntents('a', 300));
    expect(firstIntents('a', 300)).not.deep.equal(firstIntents('b', 300));
  });

  it('contains every kind of request', () => {
    const kinds = new Set(firstIntents('a', 3_000).map(({ kind }) => kind));
    expect([...kinds].toSorted()).deep.equal(
      [
        ...[
          'assign',
          'change_role',
          'create_task',
          'create_user',
          'delete_task',
          'delete_user',
          'edit_task',
          'list_tasks',
          'login',
        ],
        ...['add_comment', 'change_comment', 'delete_comment', 'add_blocker', 'remove_blocker'],
        ...['restore_task', 'bulk', 'create_board', 'move_task', 'create_project', 'set_member', 'remove_member'],
        ...['move_to_project', 'read_activity', 'read_past'],
        ...['read_notifications', 'read_task', 'register', 'rename_user', 'shuffle', 'transition'],
      ].toSorted(),
    );
  });

  it('lets only logged-in users act', () => {
    const known = newKnownState();
    const generate = createGenerator(createRandom('a'), known, 'all requests');
    for (let n = 0; n < 500; n++) {
      const { intent } = generate(n);
      if ('actor' in intent) expect(known.users.get(intent.actor)?.token, intent.kind).equal('token');
      observe(known, answerTo(known, n, intent), n);
    }
  });

  it('gives every change of tasks by POST an Idempotency-Key, and every other change a precondition', () => {
    const known = stateWithAdmin();
    known.tasks.set('t1', {
      name: 't1',
      id: 'x',
      version: 3,
      state: 'draft',
      creatorId: 'y',
      assigneeId: null,
      ...{ isInProject: false, wasInProject: false, createdAt: '2026-11-20T10:00:00.000000Z' },
    });
    const headersOf = (intent: Intent) => Object.keys(requestOf(intent, known)?.headers ?? {});
    expect(headersOf({ kind: 'create_task', actor: admin, task: 't2' })).deep.equal(['idempotency-key']);
    expect(headersOf({ kind: 'assign', actor: admin, task: 't1', to: 'random' })).deep.equal(['idempotency-key']);
    expect(headersOf({ kind: 'edit_task', actor: admin, task: 't1', title: 'new' })).deep.equal(['if-match']);
    expect(headersOf({ kind: 'delete_task', actor: admin, task: 't1' })).deep.equal(['if-match']);
  });

  it('does not know who carries out a task after its assignee was refused, and still knows the task after a 404 for a member', () => {
    const known = stateWithAdmin();
    const inProject = { isInProject: true, wasInProject: true, createdAt: '2026-11-20T10:00:00.000000Z' };
    const [user, task] = [known.addUser('u1', 'member'), { name: 't1', id: 'x', version: 3, creatorId: 'y' }];
    known.tasks.set('t1', { ...task, state: 'assigned', assigneeId: 'id-1', ...inProject });
    const intent = { kind: 'transition', actor: user.name, task: 't1', state: 'in_progress' } as const;
    const refusedWith = (status: number): Operation => ({
      ...{ n: 1, at: 1, intent, actorId: 'id-1', subjectId: 'x', outcome: 'refused', replays: [] },
      attempts: [{ began: 1, ended: 1, status }],
    });
    observe(known, refusedWith(404), 1);
    expect(known.tasks.get('t1')?.assigneeId).equal('id-1');
    observe(known, refusedWith(403), 1);
    expect(known.tasks.get('t1')?.assigneeId).equal(null);
    observe(known, { ...refusedWith(404), intent: { kind: 'read_task', actor: admin, task: 't1' } }, 1);
    expect([...known.tasks]).deep.equal([]);
  });

  it('makes no request for an unknown task, user or actor', () => {
    expect(requestOf({ kind: 'read_task', actor: admin, task: 't9' }, stateWithAdmin())).equal(undefined);
    expect(requestOf({ kind: 'rename_user', actor: admin, user: 'u9', name: 'x' }, stateWithAdmin())).equal(undefined);
    expect(requestOf({ kind: 'list_tasks', actor: admin }, newKnownState())).equal(undefined);
  });
});
