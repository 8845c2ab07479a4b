import { globSync } from 'node:fs';
import { isAbsolute, relative } from 'node:path';

export type Stage = {
  name: string;
  pattern: string;
  /** the prerequisite: rabbitmq-server and nginx installed, or PostgreSQL and RabbitMQ running */
  needs: 'nothing' | 'programs' | 'servers';
  mochaArgs: string[];
};

/** The settings shared by the end-to-end tests and those of clients: one suite for all files. */
const onOneSuite = { needs: 'programs' as const, mochaArgs: ['--require', './e2e/suite.ts'] };

// Two processes for the stages whose files share only the servers: each has its own databases and vhosts. Pact files are written by several test
// files, and the end-to-end tests stop and start parts of one suite, so those run sequentially.
export const stages: Stage[] = [
  { name: 'unit', pattern: '*.unit.test.ts', needs: 'nothing', mochaArgs: [] },
  { name: 'component', pattern: '*.component.test.ts', needs: 'servers', mochaArgs: ['--parallel', '--jobs', '2'] },
  { name: 'pact', pattern: '*.pact.test.ts', needs: 'servers', mochaArgs: [] },
  { name: 'end to end', pattern: '*.e2e.test.ts', ...onOneSuite },
  { name: 'launcher', pattern: '*.launcher.test.ts', needs: 'programs', mochaArgs: [] },
];

/** The stages of `npm run clients`: clients that need system programs besides those of the suite. */
export const clientStages: Stage[] = [{ name: 'clients', pattern: '*.client.test.ts', ...onOneSuite }];

const folders = '{packages/*/test,services/*/test,infra/*/test,tools/*/test,e2e}';

/** The test files of a stage, in execution order; with filters, those whose path contains one of them. */
export function filesOf(stage: Stage, root: string, filters: string[]): string[] {
  const wanted = filters.map((filter) => (isAbsolute(filter) ? relative(root, filter) : filter.replace(/^\.\//, '')));
  return globSync(`${folders}/**/${stage.pattern}`, { cwd: root, exclude: ['**/node_modules/**'] })
    .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
    .sort(bySequence);
}

// provider verification reads the files written by the consumer tests
function bySequence(a: string, b: string): number {
  return rank(a) - rank(b) || (a < b ? -1 : 1);
}

function rank(file: string): number {
  return file.includes('provider') ? 1 : 0;
}

/** Whether a file tests the behaviour of a connection pooler. */
export function needsPooler(file: string): boolean {
  return file.includes('.pooler.');
}

/** Whether a file tests pages. */
export function needsBrowser(file: string): boolean {
  return file.includes('.browser.');
}
