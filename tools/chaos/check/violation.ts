/** The rules that a run must not break. */
export type Rule =
  | 'an acknowledged change is there'
  | 'nothing happens twice'
  | 'what was refused did not happen'
  | 'what was read was so'
  | 'every change is published once'
  | 'events of one aggregate are published in order'
  | 'every event is consumed'
  | 'each recipient is notified once'
  | 'mails are not doubled'
  | 'mails about a task arrive in its order'
  | 'an inbox has the order of the activity log'
  | 'directories equal the users of Auth'
  | 'open tasks have performers'
  | 'nothing is left over'
  | 'no dead letter that was not injected'
  | 'the deleted have no access'
  | 'the API shows what is stored'
  | 'a standby takes over within 5 s'
  | 'no process ends by itself';

/** A violation shown by a run. */
export type Violation = { rule: Rule; what: string };

/** Collects the violations of one rule. */
export function broken(rule: Rule, found: readonly (string | false | undefined)[]): Violation[] {
  return found.filter((what): what is string => typeof what === 'string').map((what) => ({ rule, what }));
}
