import { expect } from 'chai';
import { EnvError, readEnv } from '@taskwire/env';
import { env } from '../src/env.ts';

const needed = {
  DATABASE_URL: 'postgres://auth:secret@localhost/taskwire_auth',
  AMQP_URL: 'amqp://auth:secret@localhost',
  KEY_ENCRYPTION_SECRET: Buffer.alloc(32, 1).toString('base64'),
};
const read = (more: Record<string, string>) => readEnv(env, { ...needed, ...more });

function faultsOf(more: Record<string, string>): readonly string[] {
  try {
    read(more);
    return [];
  } catch (error) {
    if (error instanceof EnvError) return error.faults;
    throw error;
  }
}

describe("Auth's registration settings", () => {
  it('close registration and require verified addresses by default', () => {
    expect(read({})).to.include({ REGISTRATION: 'off', AUTH_REQUIRE_VERIFIED_EMAIL: true });
    expect(read({ REGISTRATION: 'open' })).to.include({ REGISTRATION: 'open' });
  });

  it('accept four modes, and switches by true, on, false and off', () => {
    expect(faultsOf({ REGISTRATION: 'closed' })[0]).to.match(/^REGISTRATION: .*"open"\|"domains"\|"invited"\|"off"/);
    for (const [text, value] of Object.entries({ true: true, on: true, false: false, off: false })) {
      expect(read({ AUTH_REQUIRE_VERIFIED_EMAIL: text }).AUTH_REQUIRE_VERIFIED_EMAIL).to.equal(value);
    }
    expect(faultsOf({ AUTH_REQUIRE_VERIFIED_EMAIL: 'no' })).to.deep.equal([
      'AUTH_REQUIRE_VERIFIED_EMAIL: must be true or false',
    ]);
  });

  it('fold the case of domains, and encode international ones as addresses do', () => {
    const { REGISTRATION_DOMAINS: domains } = read({
      REGISTRATION: 'domains',
      REGISTRATION_DOMAINS: 'Example.ORG, bücher.example,straße.example',
    });
    expect(domains).to.deep.equal(['example.org', 'xn--bcher-kva.example', 'xn--strae-oqa.example']);
  });

  it('reject invalid domains by name', () => {
    const wrong = [
      '@example.org',
      '*.example.org',
      '.example.org',
      'example.org.',
      'a@example.org',
      'https://example.org',
    ];
    for (const domain of [...wrong, 'exam ple.org', 'ex%61mple.org', '-.org', 'bücher.example.', 'example.org:25']) {
      const faults = faultsOf({ REGISTRATION: 'domains', REGISTRATION_DOMAINS: `example.com,${domain}` });
      expect(faults[0], domain)
        .to.match(/^REGISTRATION_DOMAINS: has /)
        .and.contain(`"${domain}"`);
    }
    expect(faultsOf({ REGISTRATION: 'domains', REGISTRATION_DOMAINS: 'example.org,' })[0]).to.contain('has ""');
  });

  it('require domains in the mode that uses them', () => {
    expect(faultsOf({ REGISTRATION: 'domains' })[0]).to.match(/^REGISTRATION_DOMAINS is not set: .*example\.org/);
    expect(faultsOf({ REGISTRATION: 'invited' })).to.deep.equal([]);
  });

  it('reject domains whose addresses need no verification', () => {
    const domains = { REGISTRATION: 'domains', REGISTRATION_DOMAINS: 'example.org' };
    const faults = faultsOf({ ...domains, AUTH_REQUIRE_VERIFIED_EMAIL: 'false' });
    expect(faults).to.have.length(1);
    expect(faults[0]).to.match(/^AUTH_REQUIRE_VERIFIED_EMAIL: must be true with REGISTRATION=domains/);
  });
});
