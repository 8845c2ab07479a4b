import type { Evidence } from '../evidence.ts';
import { broken, type Violation } from './violation.ts';

/** Every directory contains every user in the same state as Auth. For a deleted user, only the deletion must be known. */
export function checkDirectories({ world }: Evidence): Violation[] {
  const services = ['tasks', 'notifications'] as const;
  return services.flatMap((service) => {
    const rows = new Map(world.directory.filter((row) => row.service === service).map((row) => [row.id, row]));
    const unknownUsers = [...rows.keys()].filter((id) => !world.users.some((user) => user.id === id));
    return broken('directories equal the users of Auth', [
      ...unknownUsers.map((id) => `${service} has a user ${id} who never existed in Auth`),
      ...world.users.map((user) => {
        const row = rows.get(user.id);
        const text = `${service} has ${JSON.stringify(row)}, Auth has ${JSON.stringify(user)}`;
        if (row === undefined || row.is_deleted !== user.is_deleted || row.is_stale) return text;
        if (user.is_deleted) return undefined;
        const isSame =
          row.version === user.version && row.email === user.email && row.name === user.name && row.role === user.role;
        return !isSame && text;
      }),
    ]);
  });
}

/** Every assignee of an open task is eligible. A draft awaits a performer only while no user is eligible. */
export function checkPerformers({ world }: Evidence): Violation[] {
  const performers = new Set(
    world.users.filter((user) => user.role === 'member' && !user.is_deleted).map(({ id }) => id),
  );
  const living = world.tasks.filter((task) => !task.is_deleted);
  const contributors = Map.groupBy(
    world.members.filter(({ role, user_id }) => role !== 'viewer' && performers.has(user_id)),
    ({ project_id }) => project_id,
  );
  const candidates = (projectId: string | null): ReadonlySet<string> =>
    projectId === null ? performers : new Set((contributors.get(projectId) ?? []).map(({ user_id }) => user_id));
  return broken('open tasks have performers', [
    ...living.map(
      ({ id, title, state, assignee_id, project_id }) =>
        (state === 'assigned' || state === 'in_progress') &&
        !candidates(project_id).has(assignee_id ?? '') &&
        `task ${id} (${title}) is ${state}, and ${assignee_id} is not a performer`,
    ),
    ...living.map(
      ({ id, title, awaiting_performer, project_id }) =>
        awaiting_performer &&
        candidates(project_id).size > 0 &&
        `task ${id} (${title}) awaits a performer, although ${candidates(project_id).size} exist`,
    ),
  ]);
}

/** The suite is quiescent: outboxes and queues are empty, and no message is waiting for a retry. */
export function checkLeftovers({ unfinished, world }: Evidence): Violation[] {
  return broken('no work is left over', [
    ...unfinished,
    ...Object.entries(world.outbox).map(([service, rows]) => rows > 0 && `${rows} rows in the outbox of ${service}`),
    ...world.queues.map(({ name, messages }) => messages > 0 && `${messages} messages in the queue ${name}`),
  ]);
}

/** The injected messages that cannot be handled are the only dead letters. */
export function checkDeadLetters({ injections, world }: Evidence): Violation[] {
  const poison = injections.filter((one) => one.kind === 'poison');
  const idless = poison.filter(({ form }) => form === 'no_message_id');
  const injected = new Set(poison.filter(({ form }) => form !== 'no_message_id').map(({ messageId }) => messageId));
  const isIdless = (reason: string) => reason === 'bad_message_id';
  const deadLettered = new Set(world.deadLetters.map(({ message_id }) => message_id));
  const idlessDeadLetters = world.deadLetters.filter(({ reason }) => isIdless(reason)).length;
  return [
    ...broken(
      'only injected messages become dead letters',
      world.deadLetters.map(
        ({ service, message_id, type, reason, error }) =>
          !injected.has(message_id ?? '') &&
          !isIdless(reason) &&
          `${service}: ${type} (message ${message_id}) is dead: ${reason}, ${error}`,
      ),
    ),
    ...broken('only injected messages become dead letters', [
      idlessDeadLetters > idless.length &&
        `${idlessDeadLetters} dead letters without a message id, ${idless.length} were injected`,
    ]),
    ...broken('every event is consumed', [
      ...[...injected].map((id) => !deadLettered.has(id) && `poison ${id} is not a dead letter`),
      idlessDeadLetters < idless.length &&
        `${idless.length} messages without an id were injected, ${idlessDeadLetters} are dead letters`,
    ]),
  ];
}

/** The tokens of deleted users are rejected, although they have not expired. */
export function checkAccess({ world }: Evidence): Violation[] {
  return broken(
    'deleted users have no access',
    world.deletedAccess.map(({ userId, path, status }) => status !== 401 && `${userId} got ${status} at ${path}`),
  );
}

/** The public API lists exactly what the tables contain. */
export function checkListings({ world }: Evidence): Violation[] {
  const view = ({ id, title, state, assignee_id, project_id, version }: (typeof world.listedTasks)[number]) =>
    JSON.stringify([id, title, state, assignee_id, project_id ?? null, version]);
  const stored = new Set(world.tasks.filter((task) => !task.is_deleted).map(view));
  const listed = world.listedTasks.map(view);
  const listedOnce = new Set(listed);
  const byUser = Map.groupBy(world.notifications, ({ user_id }) => user_id);
  return broken('the API shows the stored state', [
    ...[...stored].map((task) => !listedOnce.has(task) && `GET /tasks does not list ${task}`),
    ...[...listedOnce].map((task) => !stored.has(task) && `GET /tasks lists ${task}, which is not stored`),
    listed.length !== listedOnce.size && `GET /tasks lists ${listed.length - listedOnce.size} tasks twice`,
    ...world.listedNotifications.map(({ userId, ids }) => {
      const own = (byUser.get(userId) ?? [])
        .filter(({ is_in_app }) => is_in_app)
        .map(({ id }) => id)
        .sort();
      return (
        ids.toSorted().join() !== own.join() && `${userId} is shown ${ids.length} notifications and has ${own.length}`
      );
    }),
  ]);
}

const maxTakeoverMs = 5_000;

/** While no other fault is active, the second process takes over the work of a killed one in time. */
export function checkTakeovers({ takeovers }: Evidence): Violation[] {
  return broken(
    'a standby takes over within 5 s',
    takeovers.map(
      ({ service, work, killed, ms }) =>
        ms > maxTakeoverMs &&
        `after ${killed} was killed, no process was the ${work} of ${service} for ${Math.round(ms)} ms`,
    ),
  );
}

/** No service crashes, whatever fault is injected. */
export function checkCrashes({ crashes }: Evidence): Violation[] {
  return broken(
    'no process ends by itself',
    crashes.map(({ process, how, errors }) => `${process} ${how}: ${errors.join('; ')}`),
  );
}
