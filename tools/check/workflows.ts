import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { root, type Step } from './step.ts';

type WorkflowStep = { uses?: string; run?: string; with?: Record<string, unknown> };
type Job = { steps?: WorkflowStep[]; permissions?: unknown; 'timeout-minutes'?: unknown };
type Workflow = { permissions?: unknown; jobs?: Record<string, Job> };

/** The faults of a GitHub Actions workflow: what it may run, for how long and with which rights. */
export function workflowFaults(text: string, scripts: ReadonlySet<string>): string[] {
  const { permissions, jobs = {} } = parse(text) as Workflow;
  const steps = Object.values(jobs).flatMap((job) => job.steps ?? []);
  return [
    ...(Object.keys(jobs).length === 0 ? ['has no job'] : []),
    ...(isReadOnly(permissions) ? [] : ['its permissions must be at most "contents: read"; a job may have more']),
    ...Object.entries(jobs).flatMap(([name, job]) => jobFaults(name, job)),
    ...steps.flatMap((step) => stepFaults(step, scripts)),
  ];
}

function isReadOnly(permissions: unknown): boolean {
  if (typeof permissions !== 'object' || permissions === null) return false;
  return Object.entries(permissions).every(([scope, right]) => scope === 'contents' && right === 'read');
}

function jobFaults(name: string, job: Job): string[] {
  return [
    ...(typeof job['timeout-minutes'] === 'number' ? [] : [`the job ${name} has no timeout-minutes`]),
    ...(typeof job.permissions === 'string'
      ? [`the job ${name} has all permissions of a kind; list those it needs`]
      : []),
  ];
}

function stepFaults({ uses, run = '', with: inputs = {} }: WorkflowStep, scripts: ReadonlySet<string>): string[] {
  const action = uses?.split('@')[0];
  const named = [...run.matchAll(/\bnpm run (?:--silent )?([\w:-]+)/g)].map(([, script = '']) => script);
  return [
    ...(uses === undefined || /@[0-9a-f]{40}$/.test(uses) ? [] : [`${uses} is not pinned to a commit`]),
    ...(action === 'actions/checkout' && inputs['fetch-depth'] !== 0
      ? ['a checkout without fetch-depth: 0 lacks the commits of releases']
      : []),
    ...(action === 'actions/checkout' && inputs['persist-credentials'] !== false
      ? ['a checkout without persist-credentials: false leaves its token to every later step']
      : []),
    ...named.filter((script) => !scripts.has(script)).map((script) => `there is no npm script ${script}`),
    ...(/\$\{\{\s*(?:github\.(?:event|head_ref)|inputs)\b/.test(run)
      ? ['a command contains an expression of the event; pass it as an environment variable']
      : []),
  ];
}

/** Checks every workflow of GitHub Actions. */
export const workflowsStep: Step = {
  name: 'workflows',
  faults() {
    const files = globSync('.github/workflows/*.{yml,yaml}', { cwd: root }).sort();
    if (files.length === 0) return Promise.resolve(['No workflow was found: the check is looking in the wrong place.']);
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object };
    const known = new Set(Object.keys(scripts));
    return Promise.resolve(
      files.flatMap((file) =>
        workflowFaults(readFileSync(join(root, file), 'utf8'), known).map((fault) => `${file}: ${fault}`),
      ),
    );
  },
};
