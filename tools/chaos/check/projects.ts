import type { Evidence, Operation } from '../evidence.ts';
import { broken, type Violation } from './violation.ts';

/** When a request about a membership began, and when its outcome was known; Infinity if it never was. */
type MemberChange = { began: number; ended: number; adds: boolean };

/**
 * No user gets a task of a project, or changes one, at a time when they certainly were not a member: before any request that could have added them, or
 * after an acknowledged removal that no such request followed. Users who ever were managers or admins are left out.
 */
export function checkProjects({ operations, world }: Evidence): Violation[] {
  const projectOf = new Map(
    world.tasks.flatMap(({ id, project_id }) => (project_id === null ? [] : [[id, project_id]])),
  );
  const members = new Map(world.users.map(({ id, role }) => [id, role]));
  const changed = new Set(
    operations.flatMap(({ intent, subjectId }) => (intent.kind === 'change_role' ? [subjectId] : [])),
  );
  const isOrdinary = (id: string) => members.get(id) === 'member' && !changed.has(id);
  const projects = new Map(
    operations.flatMap(({ intent, answer }) =>
      intent.kind === 'create_project' ? [[intent.project, answer?.id]] : [],
    ),
  );
  const changes = Map.groupBy(
    operations.flatMap((one) => toChange(one, projects)),
    ({ key }) => key,
  );
  return broken(
    'no leak across projects',
    operations.flatMap(({ n, intent, outcome, actorId, answer, attempts }) => {
      if (outcome !== 'acknowledged' || actorId === null || !isOrdinary(actorId)) return [];
      const shown = [answer?.id, ...(answer?.ids ?? [])].filter((id) => id !== undefined && projectOf.has(id));
      const successes = attempts.filter(({ status }) => status !== null && status >= 200 && status < 300);
      return shown.map((id = '') => {
        const own = changes.get(`${projectOf.get(id)} ${actorId}`) ?? [];
        const isLeak = successes.every((one) => isOutside(own, one));
        return (
          isLeak && `operation ${n} (${intent.kind}) showed task ${id} to ${actorId}, who is outside of its project`
        );
      });
    }),
  );
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

/** Whether the user was certainly outside while the request ran. */
function isOutside(changes: readonly MemberChange[], request: { began: number; ended: number }): boolean {
  const removed = Math.max(
    -Infinity,
    ...changes.filter(({ adds, ended }) => !adds && ended < request.began).map(({ began }) => began),
  );
  return changes.every(({ adds, began, ended }) => !adds || began > request.ended || ended < removed);
}
