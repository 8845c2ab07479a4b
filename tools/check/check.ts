// npm run check: all checks of the repository that do not require running it, each step with its time. Exits with 1 if anything is wrong, after
// showing all faults.
import { availableParallelism } from 'node:os';
import { clusterStep, composeStep } from './manifests/steps.ts';
import { checkBoundaries } from './boundaries.ts';
import { contractsStep, schemasStep } from './generated.ts';
import { spellingStep } from './spelling.ts';
import { root, runSteps, tool, type Step } from './step.ts';

/** Seven similar lines in two files are a coincidence; about fifteen are a copy. */
const duplicates = [
  ...['--min-tokens', '80', '--min-lines', '8', '--threshold', '0', '--mode', 'weak', '--reporters', 'console'],
  ...['--format', 'typescript,javascript', '--gitignore'],
  // tests may repeat themselves to be readable on their own; the files at the root of a service (env, wire, main, migrate) are lists that look alike
  // and change independently
  ...['--ignore', '**/node_modules/**,**/dist/**,**/.local/**,**/test/**,**/services/*/src/*.ts'],
  ...['packages', 'services', 'infra', 'tools', 'e2e'],
];

// the longest first, so that none runs alone at the end
const steps: Step[] = [
  tool('lint', 'eslint', ['.']),
  tool('types', 'typescript', ['--noEmit', '-p', '.']),
  spellingStep,
  schemasStep,
  clusterStep,
  tool('format', 'prettier', ['--check', '--log-level', 'warn', '.']),
  tool('duplicates', 'jscpd', duplicates),
  tool('unused exports and dependencies', 'knip', ['--no-config-hints', '--no-progress']),
  contractsStep,
  composeStep,
  { name: 'import boundaries (canary first)', faults: () => Promise.resolve(checkBoundaries(root)) },
];

const began = performance.now();
const findings = await runSteps(steps, Math.max(2, availableParallelism()), ({ name, faults, seconds, note }) => {
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
