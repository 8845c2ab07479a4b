/** A rule that a run must not break. */
export type Rule =
  | 'acknowledged changes persist'
  | 'nothing happens twice'
  | 'refused requests have no effect'
  | 'reads return states that existed'
  | 'no leak across projects'
  | 'a tree of tasks is in one project'
  | 'every change is published once'
  | 'events of one aggregate are published in order'
  | 'every event is consumed'
  | 'each recipient is notified once'
  | 'mails are not duplicated'
  | 'mails about a task arrive in order'
  | 'inboxes keep the order of the activity log'
  | 'directories equal the users of Auth'
  | 'open tasks have performers'
  | 'no work is left over'
  | 'only injected messages become dead letters'
  | 'every request is served'
  | 'two releases share the work'
  | 'deleted users have no access'
  | 'the API shows the stored state'
  | 'a copy equals the database'
  | 'a standby takes over within 5 s'
  | 'no process ends by itself'
  | 'jobs are kept'
  | 'jobs are settled once'
  | 'a job has one lease at a time'
  | 'live leases are kept'
  | 'workers stop before their leases end'
  | 'stale fences have no effect'
  | 'jobs wait for limits and predecessors'
  | 'every occurrence is decided once'
  | 'reminders are sent once'
  | 'blocked tasks wait'
  | 'tasks do not wait for each other'
  | 'unblocked tasks are announced once'
  | 'journeys are complete'
  | 'the steps of a journey are in order'
  | 'journeys agree with the workload';

/** A violation shown by a run. */
export type Violation = { rule: Rule; what: string };

/** Collects the violations of one rule. */
export function broken(rule: Rule, found: readonly (string | false | undefined)[]): Violation[] {
  return found.filter((what): what is string => typeof what === 'string').map((what) => ({ rule, what }));
}
