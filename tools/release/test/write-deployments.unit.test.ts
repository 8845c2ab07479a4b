import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readDeployments } from '../deployments.ts';
import { afterStep, recordStep } from '../write-deployments.ts';

describe('The record of a rollout', () => {
  let root: string;
  before(() => {
    root = mkdtempSync(join(tmpdir(), 'taskwire-deployments-'));
    mkdirSync(join(root, 'services/tasks'), { recursive: true });
    mkdirSync(join(root, 'releases'));
    writeFileSync(join(root, 'services/tasks/package.json'), '{}');
    for (const version of ['0.1.0', '0.2.0']) {
      const record = { version, date: '2026-11-20', commit: 'a'.repeat(40), migrations: {} };
      writeFileSync(join(root, `releases/${version}.json`), JSON.stringify(record));
    }
  });
  after(() => rmSync(root, { recursive: true }));

  const step = (release: string, name: 'start' | 'finish') =>
    recordStep(root, { service: 'tasks', environment: 'staging', release, step: name });

  it('has both releases during a rollout, and one before and after it', () => {
    step('0.1.0', 'start');
    expect(step('0.1.0', 'finish')).to.deep.equal({ tasks: ['0.1.0'] });
    expect(step('0.2.0', 'start')).to.deep.equal({ tasks: ['0.1.0', '0.2.0'] });
    expect(readDeployments(root, 'staging')).to.deep.equal({ tasks: ['0.1.0', '0.2.0'] });
    expect(step('0.2.0', 'finish')).to.deep.equal({ tasks: ['0.2.0'] });
    expect(readFileSync(join(root, 'deployments/staging.json'), 'utf8')).to.equal('{\n  "tasks": ["0.2.0"]\n}\n');
  });

  it('is the same for a rollback, and leaves other services as they are', () => {
    const deployed = { auth: ['0.1.0'], tasks: ['0.2.0'] };
    const rollingBack = afterStep(deployed, 'tasks', '0.1.0', 'start');
    expect(rollingBack).to.deep.equal({ auth: ['0.1.0'], tasks: ['0.1.0', '0.2.0'] });
    expect(afterStep(rollingBack, 'tasks', '0.1.0', 'finish')).to.deep.equal({ auth: ['0.1.0'], tasks: ['0.1.0'] });
  });

  it('refuses a release that is not recorded, an unknown service and a path as environment', () => {
    const rollout = { service: 'tasks', environment: 'staging', release: '0.1.0', step: 'start' as const };
    expect(() => recordStep(root, { ...rollout, release: '9.0.0' })).to.throw('no record of 9.0.0');
    expect(() => recordStep(root, { ...rollout, service: 'billing' })).to.throw('no service billing');
    expect(() => recordStep(root, { ...rollout, environment: '../x' })).to.throw('does not name an environment');
  });
});
