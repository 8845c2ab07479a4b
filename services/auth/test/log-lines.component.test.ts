import { waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import {
  addUser,
  authHarness,
  cheapPasswords,
  loggedIn,
  logIn,
  password,
  type AuthHarness,
} from './support/auth-harness.ts';

type Line = { message: string; request_id?: string; user_id?: string; target_user_id?: string };

describe("Auth's log lines name", () => {
  let harness: AuthHarness;
  before(async () => {
    harness = await authHarness({}, { passwords: cheapPasswords() });
  });
  after(async () => await harness.stop());

  /** Returns the users in the line of a request, which may be written after its response. */
  async function usersOf({ headers }: { headers: Headers }, message = 'request') {
    const requestId = headers.get('x-request-id');
    const { user_id, target_user_id } = await waitFor(() =>
      harness.logLines
        .map((line) => JSON.parse(line) as Line)
        .find((line) => line.message === message && line.request_id === requestId),
    );
    return { user_id, target_user_id };
  }

  it('the user who logs in, and the account of a log-in that was refused', async () => {
    const user = await addUser(harness, 'member');
    const { email } = user;
    const right = await harness.api.call('login', { body: { email, password } });
    expect(await usersOf(right)).to.deep.equal({ user_id: user.id, target_user_id: undefined });
    const wrong = await harness.api.call('login', { body: { email, password: 'not the password' } });
    expect(await usersOf(wrong)).to.deep.equal({ user_id: undefined, target_user_id: user.id });
  });

  it('the user of a refresh token, also when its reuse ends the session', async () => {
    const user = await addUser(harness, 'member');
    const { refresh_token } = await logIn(harness, user.email);
    const refresh = async (token: string) => await harness.api.call('refresh', { body: { refresh_token: token } });
    const first = await refresh(refresh_token);
    expect((await usersOf(first)).user_id).to.equal(user.id);
    await refresh((first.body as { refresh_token: string }).refresh_token);
    const reused = await refresh(refresh_token);
    expect(await usersOf(reused, 'refresh token reused; session ended')).to.include({ target_user_id: user.id });
  });

  it('the caller, and the user whom the request is about', async () => {
    const admin = await loggedIn(harness, 'admin');
    const user = await addUser(harness, 'member');
    const read = await harness.api.call('getUser', { token: admin.token, params: { id: user.id } });
    expect(await usersOf(read)).to.deep.equal({ user_id: admin.id, target_user_id: user.id });
  });
});
