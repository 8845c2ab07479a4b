import { expect } from 'chai';
import { componentsOf, licenceFaults } from '../components.ts';
import { verdictOf } from '../verdict.ts';

const bill = (components: unknown[]) => JSON.stringify({ bomFormat: 'CycloneDX', components });
const one = (...licenses: unknown[]) => ({ name: 'a', version: '1.0.0', licenses });
const faultsOf = (component: unknown) => licenceFaults(componentsOf(bill([component])));

describe('The check of licences', () => {
  it('allows permissive licences, and one of several alternatives', () => {
    expect(faultsOf(one({ license: { id: 'MIT' } }))).to.deep.equal([]);
    expect(faultsOf(one({ expression: '(GPL-3.0-only OR MIT)' }))).to.deep.equal([]);
    expect(faultsOf(one({ expression: 'MIT AND ISC' }))).to.deep.equal([]);
  });

  it('refuses any other licence, a combination with one, and none at all (canary)', () => {
    expect(faultsOf(one({ license: { id: 'AGPL-3.0-only' } }))).to.deep.equal(['a 1.0.0: AGPL-3.0-only']);
    expect(faultsOf(one({ expression: 'MIT AND GPL-3.0-only' }))).to.have.lengthOf(1);
    expect(faultsOf(one({ license: { id: 'MIT' } }, { license: { name: 'Own' } }))).to.have.lengthOf(1);
    expect(faultsOf(one())).to.deep.equal(['a 1.0.0: no licence']);
  });

  it('ignores our own packages, and refuses a bill of materials that lists nothing else', () => {
    const own = { group: '@taskwire', name: 'inbox', version: '0.1.0' };
    expect(componentsOf(bill([own, { ...one(), group: '@scope' }])).map(({ name }) => name)).to.deep.equal([
      '@scope/a',
    ]);
    expect(() => componentsOf(bill([own]))).to.throw('lists no package');
  });
});

describe('The audit of dependencies', () => {
  it('passes without findings, fails with one, and is unknown when the registry does not respond', () => {
    expect(verdictOf({ code: 0, stdout: 'No known vulnerabilities found', stderr: '' }).exitCode).to.equal(0);
    expect(verdictOf({ code: 1, stdout: '1 vulnerability found', stderr: '' }).exitCode).to.equal(1);
    expect(verdictOf({ code: 1, stdout: '3 vulnerabilities found', stderr: '' }).exitCode).to.equal(1);
    const silent = verdictOf({ code: 1, stdout: '', stderr: 'The audit endpoint responded with 405' });
    expect(silent.exitCode).to.equal(2);
    expect(silent.text).to.include('unknown').and.to.include('405');
  });
});
