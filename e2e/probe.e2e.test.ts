import { expect } from 'chai';
import { Registry } from 'prom-client';
import { createProbe } from '../infra/observer/probe.ts';
import { demoPassword } from '../infra/local/people.ts';
import { useSuite } from './suite.ts';

describe('The probe of the main flow', () => {
  const suite = useSuite();

  it('counts a pass for each check while all works, and an unavailable API while a service is down', async () => {
    const registry = new Registry();
    const failures: string[] = [];
    const account = (name: string) => ({ email: `${name}@taskwire.test`, password: demoPassword });
    const probe = createProbe({
      url: suite().url,
      manager: account('manager'),
      member: account('ben'),
      everyMs: 60_000,
      registry,
      onFailure: (check) => failures.push(check),
    });
    const results = async () => {
      const text = await registry.getSingleMetricAsString('probe_checks_total');
      return Object.fromEntries(
        [...text.matchAll(/check="(\w+)",outcome="(\w+)"\} (\d+)/g)].map(([, check, outcome, count]) => [
          `${check} ${outcome}`,
          Number(count),
        ]),
      );
    };
    const none = { 'available passed': 0, 'available failed': 0, 'fresh passed': 0, 'fresh failed': 0 };
    expect(await results()).to.include(none);

    await probe.run();
    // `fast` depends on what else this machine does
    expect(await results(), failures.join()).to.include({ ...none, 'available passed': 1, 'fresh passed': 1 });

    await suite().process('tasks').kill();
    try {
      await probe.run();
    } finally {
      await suite().process('tasks').start();
    }
    expect(await results()).to.include({ 'available passed': 1, 'available failed': 1, 'fresh failed': 0 });
    expect(failures.at(-1)).to.equal('available');
    await probe.run();
    expect(await results()).to.include({ 'available passed': 2, 'available failed': 1 });
  });
});
