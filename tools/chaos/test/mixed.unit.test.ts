import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { Line } from '../evidence.ts';
import { readMixedArguments } from '../mixed/arguments.ts';
import { planSteps, type Step } from '../mixed/plan.ts';
import { patched, plant, planted, plantedNames } from '../mixed/planted.ts';
import { commitOf, lastRelease, nextVersion } from '../mixed/release-worktree.ts';
import { idleSteps } from '../mixed/shared-work.ts';
import { createRandom } from '../random.ts';
import { brokenBy } from './small-run.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const plan = (seed: string) => planSteps(createRandom(seed));
const seeds = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];

describe('the plan of a mixed run', () => {
  it('is the same for the same seed, and different for another', () => {
    expect(plan('a')).deep.equal(plan('a'));
    expect(plan('a')).not.deep.equal(plan('b'));
  });

  it('migrates each service before any of its processes has the new release', () => {
    for (const seed of seeds)
      for (const service of ['auth', 'tasks', 'notifications']) {
        const steps = plan(seed);
        const migrated = steps.findIndex((step) => step.kind === 'migrate' && step.service === service);
        const swapped = steps.findIndex((step) => step.kind === 'swap' && step.process.includes(service));
        expect(migrated).within(0, swapped - 1);
      }
  });

  it('ends with the new release everywhere, and rolls back at least one process of each service', () => {
    for (const seed of seeds) {
      const swaps = plan(seed).filter((step) => step.kind === 'swap');
      const last = new Map(swaps.map(({ process, to }) => [process, to]));
      expect(last.size).equal(12);
      expect(new Set(last.values())).deep.equal(new Set(['new']));
      for (const service of ['auth', 'tasks', 'notifications'])
        expect(swaps.some(({ process, to }) => to === 'old' && process.includes(service))).equal(true);
    }
  });

  it('lets old workers handle the data of new processes and the reverse, with all processes of a role on one release', () => {
    for (const seed of seeds) {
      const sides = new Map<string, string>();
      const seen = new Set<string>();
      for (const step of plan(seed)) {
        if (step.kind === 'swap') sides.set(step.process, step.to);
        if (step.kind !== 'mix') continue;
        const { service, api, worker } = step;
        const of = (...names: string[]) => [...new Set(names.map((name) => sides.get(name) ?? 'old'))];
        expect(of(service, `second ${service}`)).deep.equal([api]);
        expect(of(`${service} worker`, `second ${service} worker`)).deep.equal([worker]);
        seen.add(`${service} ${api} ${worker}`);
      }
      for (const service of ['auth', 'tasks'])
        expect([...seen]).to.include.members([`${service} new old`, `${service} old new`]);
    }
  });
});

describe('a mixed run', () => {
  const operation = (status: number | null, more: object = {}) => ({
    ...{ began: 0, ended: 1, status },
    ...more,
  });

  it('requires a response to every request, after one retry at most', () => {
    const rule = (change: Parameters<typeof brokenBy>[0]) =>
      brokenBy((run) => {
        run.faults = 'none';
        change(run);
      });
    const attempts = (...list: ReturnType<typeof operation>[]) =>
      rule((run) => void (run.operations[1]!.attempts = list));
    expect(attempts(operation(502), operation(201))).deep.equal([]);
    expect(attempts(operation(409, { problem: 'idempotency_in_progress' }), operation(201))).deep.equal([]);
    expect(attempts(operation(502), operation(503), operation(201))).deep.equal(['every request is served']);
    expect(attempts(operation(500), operation(201))).deep.equal(['every request is served']);
    expect(attempts(operation(null))).deep.equal(['every request is served']);
    expect(attempts(operation(400, { problem: 'bad_cursor' }))).deep.equal(['every request is served']);
  });

  it('does not require this of a run with faults', () => {
    expect(brokenBy((run) => void (run.operations[1]!.attempts = [operation(502), operation(502)]))).deep.equal([]);
  });

  it('proves nothing if no event was published while two releases shared the work', () => {
    const step: Step = { kind: 'mix', service: 'tasks', api: 'new', worker: 'old', ms: 10 };
    const event = { ...{ messageId: 'm', type: 'tasks.task.created', aggregateId: 'a' }, timestamp: '', actor: null };
    const lines = (at: number): Line[] => [
      { line: 'step', began: 5, ended: 15, step },
      { line: 'event', at, event: { ...event, named: null } },
    ];
    expect(idleSteps(lines(10))).deep.equal([]);
    expect(idleSteps(lines(20))).lengthOf(1);
  });

  it('starts from a recorded release, the last one by default, whose successor has a higher version', () => {
    const [major, minor] = lastRelease(root).split('.').map(Number);
    expect(Number(major) * 1000 + Number(minor)).to.be.at.least(2);
    expect(commitOf(root, lastRelease(root))).match(/^[0-9a-f]{40}$/);
    expect(commitOf(root, '0.1.0')).match(/^[0-9a-f]{40}$/);
    expect(() => commitOf(root, '9.9.9')).throw('releases/9.9.9.json records no release');
    expect(nextVersion(root, '0.0.1')).not.equal('0.0.1');
    expect(readMixedArguments([])).include({ from: undefined });
    for (const args of [
      ['--from', 'main'],
      ['--from', '0.1.0', '--planted', 'x'],
      ['--from', '0.1.0', '--seed', 'a/b'],
    ])
      expect(readMixedArguments(args), args.join(' ')).instanceOf(Error);
    expect(readMixedArguments(['--from', '0.1.0', '--planted', 'new-state'])).include({ planted: 'new-state' });
  });
});

describe('the planted breaks of two releases', () => {
  let dir: string;
  beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'taskwire-planted-'))));
  afterEach(() => rmSync(dir, { recursive: true }));

  for (const name of plantedNames)
    it(`apply to the sources: ${name}`, () => {
      const { patches, migration } = planted[name];
      for (const file of ['services/tasks/migrations/0001_tasks.sql', ...patches.map((patch) => patch.file)]) {
        mkdirSync(dirname(join(dir, file)), { recursive: true });
        writeFileSync(join(dir, file), readFileSync(join(root, file)));
      }
      for (const side of ['old', 'new'] as const) plant(dir, { side, name, minVersion: '0.1.0' });
      expect(existsSync(join(dir, 'services/tasks/migrations/0002_planted.sql'))).equal(migration !== undefined);
      for (const { file, put } of patches) expect(readFileSync(join(dir, file), 'utf8')).include(put);
    });

  it('stop the run when their text is not found', () => {
    expect(() => patched('a b a', { file: 'x.ts', find: 'a', put: 'c' })).throw('does not occur exactly once in x.ts');
  });
});
