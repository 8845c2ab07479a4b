import { join } from 'node:path';
import { output, root, type Step } from './step.ts';

/** Refuses migrations after which the last recorded release could not work; tools/release has the rules. */
export const migrationsStep: Step = {
  name: 'migrations since the last release (canary first)',
  faults: () => output(process.execPath, ['--no-warnings', join(root, 'tools/release/migrations.ts')]),
};
