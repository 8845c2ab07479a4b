import { expect } from 'chai';
import type { User } from '../../src/app/ports/users.ts';
import { accountHarness, type AccountHarness, type ReadableLink } from './account-harness.ts';
import { expectProblem, type Answer } from './api.ts';
import { logIn, password } from './auth-harness.ts';

/** A logged-in user whose address will change. */
export type Mover = { id: string; email: string; token: string; refreshToken: string };

let people = 0;

/** Registers a user and logs them in. */
export async function mover(harness: AccountHarness): Promise<Mover> {
  const { id, email } = await harness.register(`mover-${(people += 1)}@example.org`);
  const session = await logIn(harness, email);
  return { id, email, token: session.access_token, refreshToken: session.refresh_token };
}

/** The steps of an address change, each as a function. */
export function emailChanges(harness: () => AccountHarness) {
  const request = async (person: Mover, email: string, current: string | undefined = password): Promise<Answer> =>
    await harness().api.call('changeUser', {
      token: person.token,
      params: { id: person.id },
      body: { email, current_password: current },
    });

  /** The token of the newest link of this kind mailed to an address. */
  async function tokenFor(userId: string, page: 'confirm_email' | 'undo_email' | 'reset', email: string) {
    for (const { payload } of (await harness().linkEvents(userId)).toReversed()) {
      const answer = await harness().readLink(payload.link_id);
      if (answer.status !== 200) continue;
      const { email: to, link } = answer.body as ReadableLink;
      if (to === email && link.includes(`/account/${page}?`)) return new URL(link).searchParams.get('token') ?? '';
    }
    throw new Error(`no ${page} link mailed to ${email} works`);
  }

  const confirm = async (token: string, more: { as?: string; password?: string; cookie?: string } = {}) =>
    await harness().api.call('confirmEmail', {
      token: more.as,
      body: { token, ...(more.password === undefined ? {} : { current_password: more.password }) },
      ...(more.cookie === undefined ? {} : { headers: { cookie: more.cookie } }),
    });

  return {
    request,
    tokenFor,
    confirm,
    undo: async (token: string) => await harness().api.call('undoEmailChange', { body: { token } }),
    me: async (person: Mover) => (await harness().me(person.token)).body as User,
    /** Requests and confirms a change; returns the token of the link that undoes it. */
    async move(person: Mover, email: string, current: string | undefined = password): Promise<string> {
      const { email: before } = (await harness().me(person.token)).body as User;
      expect((await request(person, email, current)).status).to.equal(200);
      const token = await tokenFor(person.id, 'confirm_email', email);
      const answer = await confirm(token, { as: person.token });
      expect(answer.status, answer.text).to.equal(204);
      return await tokenFor(person.id, 'undo_email', before);
    },
  };
}

/** Starts Auth for the tests of the enclosing describe, with a new user for each test, whose address the test changes. */
export function useMover(settings: Record<string, string>) {
  let harness: AccountHarness;
  let person: Mover;
  before(async () => {
    harness = await accountHarness(settings);
  });
  after(async () => await harness.stop());
  beforeEach(async () => {
    person = await mover(harness);
  });
  return {
    get harness() {
      return harness;
    },
    get person() {
      return person;
    },
    ...emailChanges(() => harness),
    logInAs: async (email: string, wanted = password) => (await harness.logIn(email, wanted)).status,
    detailOf: (answer: Answer) => expectProblem(answer, 'link_not_valid').detail,
    /** An address that no other test uses. */
    fresh: (name: string) => `${name}-of-${person.id}@example.org`,
  };
}
