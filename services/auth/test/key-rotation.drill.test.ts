import { expect } from 'chai';
import { decodeProtectedHeader } from 'jose';
import { jwtAuthenticator, remoteKeys, type Authenticator } from '@taskwire/http-server';
import { createTelemetry } from '@taskwire/telemetry';
import { silent, waitFor } from '@taskwire/testing';
import { systemContext } from '../src/domain/audit-context.ts';
import { addUser, authHarness, cheapPasswords, logIn, serviceToken, type AuthHarness } from './support/auth-harness.ts';

describe('a rotation of the signing keys under load', () => {
  let harness: AuthHarness;
  before(async () => {
    // the replicas read the keys every ten seconds, so they know the next key before it signs
    harness = await authHarness({ KEY_OVERLAP_SECONDS: '12' }, { passwords: cheapPasswords() });
  });
  after(async () => {
    await harness.stop();
  });

  /** An authenticator that verifies tokens as another service does, with keys fetched from Auth. */
  function service(name: string): Authenticator {
    const telemetry = createTelemetry({ service: name, stream: silent() });
    return jwtAuthenticator({
      issuer: 'http://localhost:8080/oidc',
      audience: 'urn:taskwire:auth',
      keys: remoteKeys({ url: `${harness.api.baseUrl}/oidc/jwks`, telemetry }),
      checkUser: async ({ role }) => ({ role }),
    });
  }

  it('fails no verification of old and new tokens of two replicas at two services', async () => {
    const second = await harness.replica();
    const services = [service('tasks'), service('notifications')];
    const user = await addUser(harness, 'member');
    const old = (await logIn(harness, user.email)).access_token;
    const before = decodeProtectedHeader(old).kid;
    expect(await harness.service.rotation.addNext(systemContext)).to.equal(true);

    const signers = new Set<string | undefined>();
    const failures: unknown[] = [];
    let verified = 0;
    let turn = 0;
    await waitFor(
      async () => {
        const api = (turn += 1) % 2 === 0 ? harness.api : second.api;
        const fresh = await Promise.all([
          logIn({ ...harness, api }, user.email).then((session) => session.access_token),
          serviceToken({ ...harness, api }),
        ]);
        for (const token of [old, ...fresh]) {
          signers.add(decodeProtectedHeader(token).kid);
          for (const one of services) {
            await one.authenticate(`Bearer ${token}`).then(
              () => (verified += 1),
              (error: unknown) => failures.push(error),
            );
          }
        }
        // both replicas sign with the next key, for the JSON API and for clients
        return turn % 2 === 0 && fresh.every((token) => decodeProtectedHeader(token).kid !== before);
      },
      { timeoutMs: 40_000 },
    );
    expect(failures).to.deep.equal([]);
    expect(signers.size).to.equal(2);
    expect(verified).to.be.above(100);
    expect((await harness.api.call('me', { token: old })).status).to.equal(200);
  }).timeout(60_000);
});
