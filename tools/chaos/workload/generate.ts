import type { Random } from '../random.ts';
import { admin, follower, reassigner, type Actor, type KnownTask, type KnownState } from './actors.ts';
import { commentRequests } from './comment-requests.ts';
import type { Intent, Twist } from './intent.ts';
import { projectRequests } from './project-requests.ts';

/** Enough users to give random assignment a choice, but few enough that each has work. */
const minMembers = 6;
const maxMembers = 14;
const minManagers = 2;
/**
 * With more open tasks, none is created. When a user is deleted or changes role, all their open tasks are reassigned. Without a limit, the events of
 * one such operation would grow with the length of the run, until two processors could not handle them.
 */
const maxOpenTasks = 250;
/** Late enough that many tasks are completed, edited or deleted before, and early enough that most reminders are sent during the run. */
const longestDueMs = 40_000;

export type Generated = { intent: Intent; twist: Twist };

/** Which requests are generated. `mostly about tasks`: users stay as they are, and most requests create tasks and carry them to completion. */
export type Requests = 'all requests' | 'requests of release 0.2.0' | 'mostly about tasks';

/**
 * Generates users' next actions: mostly work on tasks, and occasionally changes to users, which disturb this work. `now` is in milliseconds since the
 * start of the traffic.
 */
export function createGenerator(random: Random, known: KnownState, requests: Requests): (now: number) => Generated {
  let number = 0;
  const living = () => [...known.users.values()].filter((user) => !user.isDeleted && user.id !== undefined);
  const ordinary = () => living().filter((user) => user.name !== admin && user.name !== reassigner);
  const members = () => ordinary().filter((user) => user.role === 'member');
  /** The members who may be deleted or promoted. */
  const passing = () => members().filter((user) => user.name !== follower);
  const managers = () => ordinary().filter((user) => user.role === 'manager');
  const tasks = (...states: string[]) => [...known.tasks.values()].filter((task) => states.includes(task.state));
  const pick = <T>(list: readonly T[]): T | undefined => (list.length === 0 ? undefined : random.pick(list));
  const newName = (letter: string) => `${letter}${++number}`;

  function leaderOf(task: KnownTask): Actor | undefined {
    const creator = known.userById(task.creatorId);
    const leader = pick(managers()) ?? known.users.get(admin);
    return creator !== undefined && !creator.isDeleted && random.chance(0.5) ? creator : leader;
  }

  const aboutTask = (
    states: string[],
    make: (task: KnownTask, leader: Actor) => Intent | undefined,
  ): Intent | undefined => {
    const task = pick(tasks(...states));
    const leader = task && leaderOf(task);
    return task && leader && make(task, leader);
  };

  const onComments = commentRequests({ random, known, living, byAnyone, newName });
  const inProjects = projectRequests({ random, known, members, managers, tasks, leaderOf, newName });

  const often = requests === 'mostly about tasks' ? 4 : 1;
  const users = requests === 'mostly about tasks' ? 0 : 1;
  const kinds: { weight: number; make(): Intent | undefined }[] = [
    { weight: 20 * often, make: createTask },
    { weight: 10 * often, make: assign },
    { weight: 26 * often, make: work },
    {
      weight: 2,
      make: () =>
        aboutTask(['draft', 'assigned', 'in_progress'], ({ name }, leader) => {
          return { kind: 'transition', actor: leader.name, task: name, state: 'cancelled' };
        }),
    },
    {
      weight: 6,
      make: () =>
        aboutTask(['draft', 'assigned', 'in_progress', 'completed'], ({ name }, leader) => {
          return { kind: 'edit_task', actor: leader.name, task: name, title: `${name} ${newName('edit')}` };
        }),
    },
    {
      weight: 3,
      make: () =>
        aboutTask(['draft', 'assigned', 'in_progress', 'completed'], ({ name }, leader) => {
          return { kind: 'delete_task', actor: leader.name, task: name };
        }),
    },
    ...(requests !== 'requests of release 0.2.0'
      ? [
          { weight: 6, make: onComments.addComment },
          { weight: 3, make: onComments.changeComment },
          { weight: 1, make: onComments.deleteComment },
          { weight: 3 * users, make: inProjects.changeMember },
          { weight: 5 * users, make: inProjects.moveToProject },
          { weight: 6 * users, make: inProjects.readInProject },
          { weight: 6 * users, make: inProjects.readPast },
          { weight: 2, make: restoreTask },
          { weight: 2, make: createInBulk },
          { weight: 4, make: moveOnBoard },
          { weight: 8, make: addBlocker },
          { weight: 1, make: removeBlocker },
        ]
      : []),
    { weight: 8, make: readTask },
    { weight: 3, make: () => byAnyone((actor) => ({ kind: 'list_tasks', actor })) },
    { weight: 4, make: () => byAnyone((actor) => ({ kind: 'read_notifications', actor })) },
    { weight: 0.15 * users, make: () => ({ kind: 'shuffle', actor: reassigner }) },
    { weight: 2 * users, make: () => (members().length < maxMembers ? register() : undefined) },
    {
      weight: 0.5,
      make: () =>
        managers().length < minManagers + 2
          ? { kind: 'create_user', actor: admin, user: newName('u'), role: 'manager' }
          : undefined,
    },
    { weight: 3, make: findOut },
    { weight: 2 * users, make: rename },
    { weight: 2 * users, make: changeRole },
    { weight: 1 * users, make: deleteUser },
  ];
  const total = kinds.reduce((sum, { weight }) => sum + weight, 0);

  function register(): Intent {
    return { kind: 'register', user: newName('u') };
  }

  /** Returns a log-in that shows whether a registration without a response took effect. */
  function findOut(): Intent | undefined {
    const user = pick([...known.users.values()].filter(({ id, isDeleted }) => id === undefined && !isDeleted));
    return user && { kind: 'login', user: user.name };
  }

  function byAnyone(make: (actor: string) => Intent): Intent | undefined {
    const actor = pick(ordinary());
    return actor && make(actor.name);
  }

  function createTask(): Intent | undefined {
    if (tasks('draft', 'assigned', 'in_progress').length >= maxOpenTasks) return undefined;
    const task = newName('t');
    // anyone may create a draft; only managers choose the assignee
    const manager = random.chance(0.8) ? pick(managers()) : undefined;
    const isDue = requests !== 'requests of release 0.2.0' && random.chance(0.1);
    const due = isDue ? { dueInMs: random.between(1_000, longestDueMs) } : {};
    if (requests === 'all requests' && known.projects.size > 0 && random.chance(0.15))
      return inProjects.createInProject(task);
    const parent =
      requests !== 'requests of release 0.2.0' && random.chance(0.15)
        ? pick(tasks('draft', 'assigned', 'in_progress'))
        : undefined;
    const place = parent === undefined ? {} : { parent: parent.name };
    if (manager === undefined) {
      const creator = parent?.isInProject === true ? undefined : known.userById(parent?.creatorId ?? null);
      if (creator !== undefined && !creator.isDeleted)
        return { kind: 'create_task', actor: creator.name, task, ...due, ...place };
      return byAnyone((actor) => ({ kind: 'create_task', actor, task, ...due }));
    }
    const to = random.chance(0.4) ? 'random' : pick(members())?.name;
    return { kind: 'create_task', actor: manager.name, task, ...(to !== undefined && { to }), ...due, ...place };
  }

  function assign(): Intent | undefined {
    const task = pick(tasks('draft', 'assigned', 'in_progress'));
    const manager = pick(managers());
    const to = random.chance(0.4) ? 'random' : pick(members())?.name;
    return task && manager && to ? { kind: 'assign', actor: manager.name, task: task.name, to } : undefined;
  }

  /** The assignee starts the task, and completes it. */
  function work(): Intent | undefined {
    const task = pick(tasks('assigned', 'in_progress'));
    const assignee = known.userById(task?.assigneeId ?? null);
    if (task === undefined || assignee === undefined || assignee.isDeleted) return undefined;
    const state = task.state === 'assigned' ? 'in_progress' : 'completed';
    return { kind: 'transition', actor: assignee.name, task: task.name, state };
  }

  function readTask(): Intent | undefined {
    // managers, who read every task, find out who carries it out now
    const [open, manager] = [
      tasks('assigned', 'in_progress').find(({ assigneeId }) => assigneeId === null),
      pick(managers()),
    ];
    if (open !== undefined && manager !== undefined && random.chance(0.7))
      return { kind: 'read_task', actor: manager.name, task: open.name };
    const task = pick([...known.tasks.values()]);
    return task && byAnyone((actor) => ({ kind: 'read_task', actor, task: task.name }));
  }

  function restoreTask(): Intent | undefined {
    const task = pick([...known.deleted.values()]);
    const leader = task && leaderOf(task);
    return task && leader && { kind: 'restore_task', actor: leader.name, task: task.name };
  }

  function createInBulk(): Intent | undefined {
    if (tasks('draft', 'assigned', 'in_progress').length >= maxOpenTasks) return undefined;
    const names = Array.from({ length: random.between(2, 8) }, () => newName('b'));
    return byAnyone((actor) => ({ kind: 'bulk', actor, tasks: names, atomic: random.chance(0.3) }));
  }

  /** Moves one of a few tasks beside another one, so that concurrent moves target the same gaps. */
  function moveOnBoard(): Intent | undefined {
    if (known.board === undefined) return { kind: 'create_board', actor: admin, board: newName('v') };
    const some = [...known.tasks.values()].slice(0, 8);
    const [moved, beside] = [pick(some), pick(some)];
    if (moved === undefined || beside === undefined || moved === beside) return undefined;
    const side = random.chance(0.5) ? 'before_id' : 'after_id';
    return byAnyone((actor) => ({ kind: 'move_task', actor, moved: moved.name, beside: beside.name, side }));
  }

  /** Among the newest tasks, so that many of them get several blockers and form long chains. */
  const newest = () => tasks('draft', 'assigned', 'in_progress').slice(-30);

  function addBlocker(): Intent | undefined {
    const [on, by] = [pick(newest()), pick(newest())];
    const actor = on && leaderOf(on);
    return on && by && actor && { kind: 'add_blocker', actor: actor.name, on: on.name, by: by.name };
  }

  function removeBlocker(): Intent | undefined {
    const dependency = pick([...known.dependencies]);
    const [on = '', by = ''] = dependency?.split(' ') ?? [];
    const task = known.tasks.get(on);
    const actor = task && leaderOf(task);
    return actor && { kind: 'remove_blocker', actor: actor.name, on, by };
  }

  function rename(): Intent | undefined {
    const user = pick(ordinary());
    const actor = random.chance(0.5) ? user?.name : admin;
    return user && actor ? { kind: 'rename_user', actor, user: user.name, name: newName('Name ') } : undefined;
  }

  function changeRole(): Intent | undefined {
    const demoted = managers().length > minManagers ? pick(managers()) : undefined;
    if (demoted !== undefined && random.chance(0.6)) {
      return { kind: 'change_role', actor: admin, user: demoted.name, role: 'member' };
    }
    const promoted = members().length > minMembers ? pick(passing()) : undefined;
    return promoted && { kind: 'change_role', actor: admin, user: promoted.name, role: 'manager' };
  }

  function deleteUser(): Intent | undefined {
    const user = members().length > minMembers ? pick(passing()) : undefined;
    const actor = random.chance(0.3) ? user?.name : admin;
    return user && actor ? { kind: 'delete_user', actor, user: user.name } : undefined;
  }

  function drawIntent(): Intent {
    if (members().length < minMembers) return register();
    for (;;) {
      let left = random.next() * total;
      const kind = kinds.find(({ weight }) => (left -= weight) < 0);
      const intent = kind?.make();
      if (intent !== undefined) return intent;
    }
  }

  function drawTwist(): Twist {
    const drawn = random.next();
    if (drawn < 0.04) return { kind: 'impatient', ms: random.between(1, 60) };
    if (drawn < 0.07) return { kind: 'twice_at_once' };
    if (drawn < 0.12) return { kind: 'again' };
    return { kind: 'none' };
  }

  return (now) => {
    const intent = drawIntent();
    // bulk requests are rare, and the run has to test their repetitions
    const isRepeated = intent.kind === 'bulk' && random.chance(0.4);
    const twist = isRepeated ? ({ kind: 'again' } as const) : drawTwist();
    const actor = 'actor' in intent ? known.users.get(intent.actor) : undefined;
    if (actor === undefined || actor.token !== undefined) return { intent, twist };
    // a user who is not logged in must log in first; after a failed log-in, other users act first
    if (actor.loginAfter > now) return { intent: { kind: 'read_notifications', actor: admin }, twist };
    return { intent: { kind: 'login', user: actor.name }, twist: { kind: 'none' } };
  };
}
