import { expect } from 'chai';
import { checkCanary } from '../boundaries.ts';
import { canary } from '../boundary-canary.ts';
import { packageOrder, violationsOf } from '../boundary-rules.ts';
import { chosenSteps, root, runSteps, type Step } from '../step.ts';
import { globSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';

describe('the check of import boundaries', () => {
  it('reports every file of the canary that breaks a rule, and none of the others', () => {
    expect(checkCanary()).to.deep.equal([]);
  });

  it('has a canary that breaks each rule and a similar one that does not', () => {
    const rules = new Set(canary.map(({ breaks }) => breaks));
    for (const rule of [
      'domain',
      'app',
      'adapters',
      'env',
      'root',
      'service-apart',
      'tools-apart',
      'package-order',
      'package-door',
      'test-only',
      'environment',
      'names',
      'cycles',
    ]) {
      expect(rules, rule).to.include(rule);
    }
    expect(rules).to.include(undefined);
  });

  it('places every package, in the order that ARCHITECTURE.md shows', () => {
    expect(
      globSync('*/package.json', { cwd: `${root}/packages` })
        .map(dirname)
        .sort(),
    ).to.deep.equal([...packageOrder].sort());
    const [, map = ''] =
      /\npackages\/[^\n]*\n((?: {2}[a-z-]+ [^\n]*\n)+)/.exec(readFileSync(`${root}/ARCHITECTURE.md`, 'utf8')) ?? [];
    expect(map.split('\n').map((line) => line.trim().split(' ', 1)[0])).to.deep.equal([...packageOrder, '']);
  });

  it('names file and line', () => {
    const file = {
      path: 'services/auth/src/domain/user.ts',
      imports: [{ specifier: 'pg', typeOnly: false, line: 7 }],
      environmentReads: [],
    };
    expect(violationsOf(file)).to.have.lengthOf(1);
    expect(violationsOf(file)[0]).to.include({ path: file.path, line: 7, rule: 'domain' });
  });
});

describe('the steps of the check', () => {
  it('are narrowed to those whose names contain a given word', () => {
    const step = (name: string): Step => ({ name, faults: () => Promise.resolve([]) });
    const steps = [step('types'), step('generated contracts'), step('generated schemas of databases')];
    const names = (words: string[]) => chosenSteps(steps, words).map(({ name }) => name);
    expect(names([])).to.have.length(3);
    expect(names(['types'])).to.deep.equal(['types']);
    expect(names(['generated'])).to.deep.equal(['generated contracts', 'generated schemas of databases']);
    expect(names(['nothing'])).to.deep.equal([]);
  });

  it('all run, even if one of them reports a finding and another throws', async () => {
    const steps: Step[] = [
      { name: 'finds', faults: () => Promise.resolve(['a fault']) },
      { name: 'throws', faults: () => Promise.reject(new Error('broken')) },
      { name: 'fine', faults: () => Promise.resolve([]) },
    ];
    const reported: string[] = [];
    const findings = await runSteps(steps, 2, ({ name }) => reported.push(name));
    expect(reported).to.have.members(['finds', 'throws', 'fine']);
    const faults = Object.fromEntries(findings.map((finding) => [finding.name, finding.faults]));
    expect(faults).to.deep.equal({ finds: ['a fault'], throws: ['broken'], fine: [] });
  });

  it('run at most as many at once as the width allows', async () => {
    let running = 0;
    let most = 0;
    const step: Step = {
      name: 'counts',
      async faults() {
        most = Math.max(most, ++running);
        await Promise.resolve();
        running--;
        return [];
      },
    };
    await runSteps([step, step, step, step, step], 2, () => undefined);
    expect(most).to.equal(2);
  });
});
