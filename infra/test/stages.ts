import { globSync } from 'node:fs';
import { isAbsolute, relative } from 'node:path';

export type Stage = {
  name: string;
  pattern: string;
  /** what has to be there before it: rabbitmq-server and nginx installed, or PostgreSQL and RabbitMQ running */
  needs: 'nothing' | 'programs' | 'servers';
  mochaArgs: string[];
};

/** What the end-to-end tests and those of clients share: one suite for all files. */
const onOneSuite = { needs: 'programs' as const, mochaArgs: ['--require', './infra/test/e2e-suite.ts'] };

// Two processes for the stages whose files share nothing but the servers: each has databases and vhosts of its own. Pact files are
// written by several test files, and the end-to-end tests stop and start parts of one suite, so those take turns.
export const stages: Stage[] = [
  { name: 'unit', pattern: '*.unit.test.ts', needs: 'nothing', mochaArgs: [] },
  { name: 'component', pattern: '*.component.test.ts', needs: 'servers', mochaArgs: ['--parallel', '--jobs', '2'] },
  { name: 'pact', pattern: '*.pact.test.ts', needs: 'servers', mochaArgs: [] },
  { name: 'end to end', pattern: '*.e2e.test.ts', ...onOneSuite },
  { name: 'launcher', pattern: '*.launcher.test.ts', needs: 'programs', mochaArgs: [] },
];

/** The stages of `npm run clients`: clients that need programs of the system beside those of the suite. */
export const clientStages: Stage[] = [{ name: 'clients', pattern: '*.client.test.ts', ...onOneSuite }];

const folders = '{packages/*/test,services/*/test,infra/*/test,e2e}';

/** The test files of a stage, in the order in which they run; with filters, those whose path contains one of them. */
export function filesOf(stage: Stage, root: string, filters: string[]): string[] {
  const wanted = filters.map((filter) => (isAbsolute(filter) ? relative(root, filter) : filter.replace(/^\.\//, '')));
  return globSync(`${folders}/**/${stage.pattern}`, { cwd: root, exclude: ['**/node_modules/**'] })
    .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
    .sort(bySequence);
}

// provider verification reads what the consumer tests wrote
function bySequence(a: string, b: string): number {
  return rank(a) - rank(b) || (a < b ? -1 : 1);
}

function rank(file: string): number {
  return file.includes('provider') ? 1 : 0;
}

/** Tests of what a connection pooler does. */
export function needsPooler(file: string): boolean {
  return file.includes('.pooler.');
}

/** Tests with pages. */
export function needsBrowser(file: string): boolean {
  return file.includes('.browser.');
}
