import { waitFor } from '@taskwire/testing';
import { accountHarness, mailer, type AccountHarness, type ReadableLink } from './account-harness.ts';
import type { Answer, Api } from './api.ts';
import { loggedIn, password, serviceToken } from './auth-harness.ts';

export type Invitation = { id: string; email: string; state: string; invited_by: string; user_id: string | null };
export type Inviter = Awaited<ReturnType<typeof loggedIn>>;

export type InvitationsHarness = AccountHarness & {
  admin: Inviter;
  manager: Inviter;
  /** An address that no test has used. */
  freshEmail(): string;
  invite(by: Inviter, email: string, more?: object, api?: Api): Promise<Answer>;
  invited(by: Inviter, email: string, more?: object): Promise<Invitation>;
  revoke(by: Inviter, id: string): Promise<Answer>;
  listed(query?: Record<string, string>): Promise<Invitation[]>;
  /** The link that is mailed. */
  linkOf(id: string): Promise<string>;
  tokenOf(id: string): Promise<string>;
  accept(email: string, token: string, api?: Api): Promise<Answer>;
  /** Audit entries about an invitation, oldest first. */
  audited(id: string): Promise<{ action: string; outcome: string; actor_id: string | null }[]>;
};

/** Auth with registration by invitation only. */
export async function invitationsHarness(settings: Record<string, string> = {}): Promise<InvitationsHarness> {
  const harness = await accountHarness({ REGISTRATION: 'invited', ...settings });
  let people = 0;
  const made: InvitationsHarness = {
    ...harness,
    admin: await loggedIn(harness, 'admin'),
    manager: await loggedIn(harness, 'manager'),
    freshEmail: () => `invited-${(people += 1)}@example.org`,
    invite: async ({ token }, email, more = {}, api = harness.api) =>
      await api.call('createInvitation', { token, body: { email, ...more } }),
    async invited(by, email, more) {
      const answer = await made.invite(by, email, more);
      if (answer.status !== 201) throw new Error(`creating the invitation returned ${answer.status}: ${answer.text}`);
      return answer.body as Invitation;
    },
    revoke: async ({ token }, id) => await harness.api.call('revokeInvitation', { token, params: { id } }),
    async listed(query = {}) {
      const { body } = await harness.api.call('listInvitations', { token: made.admin.token, query });
      return (body as { data: Invitation[] }).data;
    },
    async linkOf(id) {
      const token = await serviceToken(harness, mailer);
      const answer = await waitFor(async () => await harness.api.call('getAccountLink', { token, params: { id } }));
      return (answer.body as ReadableLink).link;
    },
    tokenOf: async (id) => new URL(await made.linkOf(id)).searchParams.get('token') ?? '',
    accept: async (email, token, api = harness.api) =>
      await api.call('register', {
        body: { email, password, name: 'Rosa', invitation_token: token },
        headers: harness.freshIp(),
      }),
    audited: async (id) =>
      await harness.rows('SELECT action, outcome, actor_id FROM audit_log WHERE subject_id = $1 ORDER BY at, id', [id]),
  };
  return made;
}
