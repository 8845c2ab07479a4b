import type { Evidence, Operation } from '../evidence.ts';
import { taskHistories, type TaskHistory } from './task-history.ts';

/** A time of which only the bounds are known, in milliseconds since the start of the traffic. */
export type During = { began: number; ended: number };

/** When a request about a membership began, and when its outcome was known; Infinity if it never was. */
type MemberChange = During & { adds: boolean };

/** A project in which a task may have been from one time until another. */
type Stay = { projectId: string | null; from: number; until: number };

/** Between the clock of the databases and the one of the workload. */
const toleranceMs = 5;

/** Which users certainly could not read which tasks. */
export type ProjectAccess = {
  /**
   * Whether a user certainly could not read a task, the given version of it, or its state or entry of the time `at`, at any time in this interval:
   * wherever the task may have been, it was in a project of which they were not a member. False for users who were ever managers or admins.
   */
  isHidden(
    userId: string,
    task: { id: string; version?: number | undefined; at?: string | undefined },
    during: During,
  ): boolean;
};

export function projectAccess(evidence: Evidence): ProjectAccess {
  const { operations, world } = evidence;
  const histories = taskHistories(evidence);
  const roles = new Map(world.users.map(({ id, role }) => [id, role]));
  const changed = new Set(
    operations.flatMap(({ intent, subjectId }) => (intent.kind === 'change_role' ? [subjectId] : [])),
  );
  const projects = projectIds(operations);
  const changes = Map.groupBy(
    operations.flatMap((one) => toChange(one, projects)),
    ({ key }) => key,
  );
  const known = knownVersions(operations);
  const stays = new Map(
    [...histories].map(([id, history]) => [id, staysOf(history, known.get(id) ?? [], evidence.trafficBegan)]),
  );
  return {
    isHidden(userId, { id, version, at }, during) {
      if (roles.get(userId) !== 'member' || changed.has(userId)) return false;
      const versions = histories.get(id)?.versions ?? [];
      // an entry belongs to the project in which its change left the task
      const shown =
        at === undefined ? versions.find((one) => one.version === version) : versions.findLast((one) => one.at <= at);
      const possible = (stays.get(id) ?? []).filter(({ from, until }) => from <= during.ended && until >= during.began);
      const places = shown === undefined ? possible.map(({ projectId }) => projectId) : [shown.projectId];
      const isHiddenIn = (projectId: string | null) =>
        projectId !== null && isOutside(changes.get(`${projectId} ${userId}`) ?? [], during);
      return places.length > 0 && places.every(isHiddenIn);
    },
  };
}

/** The ids of the projects, by their names. */
export function projectIds(operations: readonly Operation[]): ReadonlyMap<string, string | undefined> {
  return new Map(
    operations.flatMap(({ intent, answer }) =>
      intent.kind === 'create_project' ? [[intent.project, answer?.id]] : [],
    ),
  );
}

export function isSuccess({ status }: { status: number | null }): boolean {
  return status !== null && status >= 200 && status < 300;
}

/** For each task, the versions that responses showed, with the time at which the first of them had arrived. */
function knownVersions(operations: readonly Operation[]): Map<string, { version: number; at: number }[]> {
  const shown = operations.flatMap(({ answer, attempts }) => {
    const { id, version } = answer ?? {};
    const at = Math.min(...attempts.filter(isSuccess).map(({ ended }) => ended));
    return id === undefined || version === undefined || at === Infinity ? [] : [{ id, version, at }];
  });
  return Map.groupBy(shown, ({ id }) => id);
}

/** A version is visible from its commit, which follows its time, until the commit of the next one, which precedes every response that shows a later one. */
function staysOf(
  { versions }: TaskHistory,
  shown: readonly { version: number; at: number }[],
  trafficBegan: number,
): Stay[] {
  return versions.map(({ version, projectId, at }) => ({
    projectId,
    from: Date.parse(at) - trafficBegan - toleranceMs,
    until: Math.min(Infinity, ...shown.filter((one) => one.version > version).map((one) => one.at)),
  }));
}

function toChange(
  { intent, outcome, subjectId, attempts }: Operation,
  projects: ReadonlyMap<string, string | undefined>,
): (MemberChange & { key: string })[] {
  if ((intent.kind !== 'set_member' && intent.kind !== 'remove_member') || outcome === 'refused') return [];
  const began = Math.min(...attempts.map((one) => one.began));
  const ended = outcome === 'acknowledged' ? Math.max(...attempts.map((one) => one.ended)) : Infinity;
  return [{ key: `${projects.get(intent.project)} ${subjectId}`, began, ended, adds: intent.kind === 'set_member' }];
}

/** Whether the user was certainly not a member at any time in the interval. */
function isOutside(changes: readonly MemberChange[], during: During): boolean {
  const removed = Math.max(
    -Infinity,
    ...changes.filter(({ adds, ended }) => !adds && ended < during.began).map(({ began }) => began),
  );
  return changes.every(({ adds, began, ended }) => !adds || began > during.ended || ended < removed);
}
