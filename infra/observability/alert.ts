/** A fault that makes many parts of the suite fail at once. While an alert about a cause fires, the alerts about its consequences notify no one. */
export const causeNames = ['broker', 'postgres', 'gateway', 'service'] as const;

export type Cause = (typeof causeNames)[number];

export type Alert = {
  name: string;
  /** PromQL. Its result keeps the label `service` where the metric has it. */
  expr: string;
  /** How long the condition holds before the alert fires. Without it, the alert fires at the next evaluation. */
  for?: string;
  severity: 'page' | 'ticket';
  /** One sentence for the person on call. */
  summary: string;
  /** The cause that this alert is about. */
  cause?: Cause;
  /** The causes that this alert may follow from, even for a few minutes after they have ended. */
  causes?: readonly Cause[];
  /** The same for an alert that looks back half an hour. */
  pastCauses?: readonly Cause[];
  /** The reason for the limit or the time. */
  because?: string;
};

/** The document that has a heading with the name of each alert: symptom, check, remedy, and the sign of success. */
export const runbook = 'docs/runbooks/alerts.md';

/** The runbook of an alert, as a path in this repository. */
export function runbookOf({ name }: Pick<Alert, 'name'>): string {
  return `${runbook}#${name.toLowerCase()}`;
}
