import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const deploymentsSchema = z.record(z.string(), z.array(z.string()).min(1));

/** The releases of each service that run in an environment: two of them during a rollout. */
export type Deployments = z.infer<typeof deploymentsSchema>;

/** Reads `deployments/<environment>.json`. @throws if the file is missing or invalid. */
export function readDeployments(root: string, environment: string): Deployments {
  const path = `deployments/${environment}.json`;
  try {
    return deploymentsSchema.parse(JSON.parse(readFileSync(join(root, path), 'utf8')));
  } catch (error) {
    throw new Error(`${path} does not say which releases run there`, { cause: error });
  }
}
