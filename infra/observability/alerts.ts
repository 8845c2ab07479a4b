import type { Alert } from './alert.ts';
import { causes } from './causes.ts';
import { budgetAlerts } from './slos.ts';
import { symptoms } from './symptoms.ts';

/** All alerts. `npm run generate` writes them for Prometheus and for its operator on Kubernetes. */
export const alerts: readonly Alert[] = [...causes, ...budgetAlerts(), ...symptoms];
