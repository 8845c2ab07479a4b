import { expect } from 'chai';
import { checkValidators } from '../manifests/canary.ts';
import { faultsOfCompose } from '../manifests/compose.ts';
import { faultsOfReferences } from '../manifests/kubernetes-references.ts';

describe('the validation of manifests', () => {
  it('detects each fault of the canary, and none where nothing is wrong', async () => {
    expect(await checkValidators()).to.deep.equal([]);
  }).timeout(60_000);

  it('detects references to missing objects, and selectors that select nothing', () => {
    const faults = faultsOfReferences([
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'lost' },
        spec: { selector: { app: 'b' }, ports: [{ port: 80 }] },
      },
      {
        apiVersion: 'policy/v1',
        kind: 'PodDisruptionBudget',
        metadata: { name: 'idle' },
        spec: { selector: { matchLabels: { app: 'b' } } },
      },
      {
        apiVersion: 'autoscaling/v2',
        kind: 'HorizontalPodAutoscaler',
        metadata: { name: 'blind' },
        spec: { scaleTargetRef: { kind: 'Deployment', name: 'gone' } },
      },
    ]);
    expect(faults).to.deep.equal([
      'Service lost: selects no pod',
      'PodDisruptionBudget idle: selects no pod',
      'HorizontalPodAutoscaler blind: there is no Deployment gone',
    ]);
  });

  it('rejects a compose file with a secret, or with a default for one', () => {
    const logging = { options: { 'max-size': '1m', 'max-file': '2' } };
    const limited = { image: 'postgres:18.6', mem_limit: '64m', cpus: 1, pids_limit: 64, logging };
    const withValue = (value: string) =>
      JSON.stringify({
        services: { one: { ...limited, environment: { DATABASE_URL: value, CLIENT_SECRET: '${SECRET:?make one}' } } },
      });
    expect(faultsOfCompose(withValue('postgres://a:${PASSWORD:?make one}@db/a'))).to.deep.equal([]);
    for (const value of ['postgres://a:b@db/a', 'postgres://a:${PASSWORD}@db/a', 'postgres://a:${PASSWORD:-b}@db/a']) {
      expect(faultsOfCompose(withValue(value)), value).to.have.lengthOf(1);
    }
  });
});
