import { expect } from 'chai';
import { mailer } from './account-harness.ts';
import { authHarness, cheapPasswords, loggedIn, serviceToken, type AuthHarness } from './auth-harness.ts';
import { everyRow } from './operations.ts';

/** Sets up an Auth for requests that must be refused: after each test of the enclosing describe, it checks that no row has changed. */
export function useUntouchedAuth() {
  let harness: AuthHarness;
  let admin: Awaited<ReturnType<typeof loggedIn>>;
  let service: string;
  let untouched: string;

  before(async () => {
    const clients = JSON.stringify([mailer.settings]);
    harness = await authHarness({ OIDC_CLIENTS: clients }, { passwords: cheapPasswords() });
    admin = await loggedIn(harness, 'admin');
    service = await serviceToken(harness, mailer);
  });
  beforeEach(async () => {
    untouched = await everyRow(harness);
  });
  afterEach('nothing was written', async () => {
    expect(await everyRow(harness)).to.equal(untouched);
  });
  after(async () => {
    await harness.stop();
  });

  return {
    harness: () => harness,
    admin: () => admin,
    /** A token of a service. */
    service: () => service,
    /** Accepts the current rows, which the test itself has prepared. */
    async acceptRows(): Promise<void> {
      untouched = await everyRow(harness);
    },
  };
}
