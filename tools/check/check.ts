// npm run check [-- <part of a step's name> …]
//
// All checks of the repository that do not require running it, or some of them, each step with its time. Exits with 1 if anything is wrong, after
// showing all faults.
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { clusterStep, composeStep } from './manifests/steps.ts';
import { checkBoundaries } from './boundaries.ts';
import {
  alertsStep,
  clientStep,
  contractsStep,
  dashboardsStep,
  pactPageStep,
  retentionStep,
  schemasStep,
  statementsStep,
} from './generated.ts';
import { lintStep } from './lint.ts';
import { migrationsStep } from './migrations.ts';
import { publishedPackagesSteps } from './published-packages.ts';
import { runbooksStep } from './runbooks.ts';
import { spellingStep } from './spelling.ts';
import { chosenSteps, root, runSteps, tool, type Step } from './step.ts';
import { workflowsStep } from './workflows.ts';

/** Seven similar lines in two files are a coincidence; about fifteen are a copy. */
const duplicates = [
  ...['--min-tokens', '80', '--min-lines', '8', '--threshold', '0', '--mode', 'weak', '--reporters', 'console'],
  ...['--format', 'typescript,javascript', '--gitignore'],
  // tests may repeat themselves to be readable on their own; the files at the root of a service (env, wire, main, migrate) are lists that look alike
  // and change independently
  ...['--ignore', '**/node_modules/**,**/dist/**,**/.local/**,**/test/**,**/services/*/src/*.ts,**/src/generated/**'],
  ...['packages', 'services', 'infra', 'tools', 'e2e'],
];

/** Results of earlier runs, for files that have not changed since. Both tools compare contents, so a result is never older than its file. */
const cache = join(root, '.local/check');

// the longest first, so that none runs alone at the end
const steps: Step[] = [
  tool('format', 'prettier', [
    ...['--check', '--log-level', 'warn', '.'],
    ...['--cache', '--cache-strategy', 'content', '--cache-location', join(cache, 'format')],
  ]),
  spellingStep,
  tool('duplicates', 'jscpd', duplicates),
  lintStep,
  tool('types', 'typescript', [
    // each further checker repeats the work on shared types: four take twice the processor time, and other steps use the other processors
    ...['--checkers', '1'],
    '--noEmit',
    '-p',
    '.',
    '--incremental',
    '--tsBuildInfoFile',
    join(cache, 'types.tsbuildinfo'),
  ]),
  ...publishedPackagesSteps,
  tool('unused exports and dependencies', 'knip', ['--no-config-hints', '--no-progress']),
  clusterStep,
  schemasStep,
  contractsStep,
  clientStep,
  statementsStep,
  retentionStep,
  pactPageStep,
  alertsStep,
  dashboardsStep,
  migrationsStep,
  runbooksStep,
  composeStep,
  workflowsStep,
  { name: 'import boundaries (canary first)', faults: () => Promise.resolve(checkBoundaries(root)) },
];

const chosen = chosenSteps(steps, process.argv.slice(2));
if (chosen.length === 0) {
  console.error(`No step has such a name. The steps are ${steps.map(({ name }) => name).join(', ')}`);
  process.exit(1);
}
const began = performance.now();
const findings = await runSteps(chosen, Math.max(2, availableParallelism()), ({ name, faults, seconds, note }) => {
  console.log(
    `${faults.length === 0 ? '✔' : '✘'} ${name.padEnd(34)} ${seconds.toFixed(1).padStart(5)} s${note ? `  ${note}` : ''}`,
  );
});

const failed = findings.filter(({ faults }) => faults.length > 0);
for (const { name, faults } of failed) console.log(`\n── ${name} ──\n${faults.join('\n')}`);
const total = ((performance.now() - began) / 1000).toFixed(1);
console.log(
  failed.length === 0
    ? `\nAll is well (${total} s).`
    : `\n${failed.map(({ name }) => name).join(', ')}: see above (${total} s).`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
