import type { Alert } from './alert.ts';
import { causes, jobs, type Job } from './causes.ts';
import { budgetAlerts } from './slos.ts';
import { symptoms } from './symptoms.ts';

/** All alerts of an installation with these jobs of Prometheus. `npm run generate` writes them for Prometheus and for its operator on Kubernetes. */
export function alertsOf(scraped: readonly Job[]): readonly Alert[] {
  return [...causes(scraped), ...budgetAlerts(), ...symptoms];
}

/** All alerts, with every job. */
export const alerts: readonly Alert[] = alertsOf(jobs);
