import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { planDeployment, withRemovedField } from '../deployment-checks.ts';
import { readDeployments } from '../deployments.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const everywhere = { auth: ['0.1.0'], tasks: ['0.1.0'], notifications: ['0.1.0'] };

const pairs = (service: string, deployed: Record<string, string[]>) =>
  planDeployment(root, { service }, deployed).checks.map(
    ({ consumer, provider }) => `${consumer.service} → ${provider.service}`,
  );

describe('The checks before a deployment', () => {
  it('verify the deployed consumers against the service, and the service against the deployed providers', () => {
    expect(pairs('tasks', everywhere)).to.deep.equal(['notifications → tasks', 'tasks → auth']);
    expect(pairs('auth', everywhere)).to.deep.equal(['tasks → auth', 'notifications → auth']);
    expect(pairs('notifications', everywhere)).to.have.members(['notifications → auth', 'notifications → tasks']);
  });

  it("take the pact of a deployed consumer from its release, and the service's from the checked-out commit", () => {
    const [first, second] = planDeployment(root, { service: 'tasks' }, everywhere).checks;
    expect(first?.consumer.version).to.equal('0.1.0');
    expect(second?.provider.version).to.equal('0.1.0');
    expect(first?.provider.commit).to.equal(second?.consumer.commit);
    expect(JSON.parse(first?.pact ?? '')).to.have.nested.property('provider.name', 'tasks');
  });

  it('verify each release that runs during a rollout', () => {
    expect(pairs('tasks', { ...everywhere, notifications: ['0.1.0', '0.1.0'] })).to.have.length(3);
  });

  it('fail for a release that is not recorded, and report a provider that is not deployed', () => {
    expect(() => planDeployment(root, { service: 'tasks' }, { auth: ['9.9.9'] })).to.throw('no record of 9.9.9');
    expect(planDeployment(root, { service: 'notifications' }, { auth: ['0.1.0'] }).missing).to.deep.equal(['tasks']);
  });

  it('read the releases of an environment from its file', () => {
    expect(Object.keys(readDeployments(root, 'production'))).to.have.members(['auth', 'tasks', 'notifications']);
    expect(() => readDeployments(root, 'nowhere')).to.throw('deployments/nowhere.json');
  });

  it('include a canary: the pact with a field that its provider lacks', () => {
    const [check] = planDeployment(root, { service: 'tasks' }, everywhere).checks;
    expect(withRemovedField(check?.pact ?? '')).to.include('"field_that_was_removed":"text"');
    expect(() => withRemovedField('{"interactions":[]}')).to.throw('no body');
  });
});
