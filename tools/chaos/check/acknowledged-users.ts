import type { Evidence, Operation, UserRow } from '../evidence.ts';
import { broken, type Violation } from './violation.ts';

/** Every acknowledged change of a user took effect exactly once, and a change without a response at most once. */
export function checkUsers({ operations, world }: Evidence): Violation[] {
  const byId = new Map(world.users.map((user) => [user.id, user]));
  const byEmail = Map.groupBy(world.users, ({ email }) => email);
  return [
    ...operations.flatMap((operation) => checkCreation(operation, byEmail)),
    ...operations.flatMap((operation) => checkChange(operation, byId)),
    ...checkVersions(operations, byId),
  ];
}

function checkCreation({ n, intent, outcome, answer }: Operation, byEmail: Map<string, UserRow[]>): Violation[] {
  if (intent.kind !== 'register' && intent.kind !== 'create_user') return [];
  const found = byEmail.get(`${intent.user}@chaos.test`) ?? [];
  const text = `request ${n} (${intent.kind} ${intent.user}): ${outcome}, and ${found.length} such users exist`;
  return [
    ...broken('acknowledged changes persist', [
      outcome === 'acknowledged' && !found.some(({ id }) => answer?.id === undefined || id === answer.id) && text,
    ]),
    ...broken('nothing happens twice', [found.length > 1 && text]),
    ...broken('refused requests have no effect', [outcome === 'refused' && found.length > 0 && text]),
  ];
}

function checkChange({ n, intent, outcome, answer, subjectId }: Operation, byId: Map<string, UserRow>): Violation[] {
  if (outcome !== 'acknowledged' || !isChange(intent.kind)) return [];
  const user = byId.get(subjectId ?? '');
  const text = `request ${n} (${Object.values(intent).join(' ')}) was acknowledged, but the user is ${JSON.stringify(user)}`;
  if (user === undefined || (intent.kind === 'delete_user' && !user.is_deleted))
    return broken('acknowledged changes persist', [text]);
  const version = answer?.version ?? 0;
  const isLast = version === user.version;
  const differs = answer?.name !== user.name || answer?.role !== user.role;
  return broken('acknowledged changes persist', [(version > user.version || (isLast && differs)) && text]);
}

/**
 * Each change creates one version. There are at most as many versions as requested changes, and at least as many as acknowledged changes that had an
 * effect.
 */
function checkVersions(operations: readonly Operation[], byId: Map<string, UserRow>): Violation[] {
  const changes = Map.groupBy(
    operations.filter(({ intent }) => isChange(intent.kind)),
    ({ subjectId }) => subjectId,
  );
  return [...changes].flatMap(([id, group]) => {
    const user = byId.get(id ?? '');
    if (user === undefined) return [];
    const open = group.filter(({ outcome }) => outcome !== 'refused').length;
    const sure = group.filter(
      ({ intent, outcome }) => outcome === 'acknowledged' && intent.kind !== 'change_role',
    ).length;
    const text = `user ${id} has version ${user.version} after ${sure} to ${open} changes`;
    return [
      ...broken('acknowledged changes persist', [user.version < 1 + sure && text]),
      ...broken('nothing happens twice', [user.version > 1 + open && text]),
    ];
  });
}

function isChange(kind: string): boolean {
  return kind === 'rename_user' || kind === 'change_role' || kind === 'delete_user';
}
