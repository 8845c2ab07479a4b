import { MatchersV3 as is } from '@pact-foundation/pact';
import { expect } from 'chai';
import { createTelemetry } from '@taskwire/telemetry';
import {
  authConsumer,
  describePact,
  exampleInstant,
  exampleProblem,
  exampleToken,
  expectAuth,
  expectEvent,
  exampleUserId as id,
  readAsConsumer,
} from '@taskwire/pact-testing';
import { silent, waitFor } from '@taskwire/testing';
import { findLink } from '../src/clients/links.ts';
import { targetsOf } from '../src/wire/clients.ts';
import { startPactHarness, type PactHarness } from './support/pact-harness.ts';

const linkId = '019a9d5e-a4dd-7e6f-9a7b-2b3c4d5e6f70';
const deliveryId = '019a9d5e-a4dd-7e6f-9a7b-2b3c4d5e6f71';

describePact('notifications', 'auth', (pact, formPact) => {
  expectAuth({
    consumer: authConsumer('notifications', createTelemetry({ service: 'notifications', stream: silent() })),
    scopes: { 'urn:taskwire:auth': ['users:read', 'account_links:read'], 'urn:taskwire:tasks': ['tasks:read'] },
    pact,
    formPact,
    is,
  });

  describe('for links to be mailed', () => {
    const link = 'http://localhost:8080/oidc/account/verify?token=twl_x';
    const headers = { authorization: `Bearer ${exampleToken}`, 'idempotency-key': deliveryId };
    const path = is.fromProviderState('/account_links/${id}', `/account_links/${linkId}`);
    const telemetry = createTelemetry({ service: 'notifications', stream: silent() });
    const ask = async (baseUrl: string) =>
      await readAsConsumer(
        targetsOf({ AUTH_INTERNAL_URL: baseUrl, TASKS_INTERNAL_URL: baseUrl }).authLinks,
        telemetry,
        async (client) => await findLink(client)(linkId, { deliveryId, signal: AbortSignal.timeout(5_000) }),
      );

    it('reads a link with its address and expiry', async () => {
      await pact()
        .addInteraction()
        .given('a valid link of a user who registered with a browser')
        .uponReceiving('a request for the link')
        .withRequest('GET', path, (request) => request.headers(headers))
        .willRespondWith(200, (response) =>
          response.headers({ 'cache-control': 'no-store' }).jsonBody({
            email: is.string('ann@example.com'),
            link: is.regex('^https?://[^ ]+[?]token=[^ ]+$', link),
            expires_at: exampleInstant(is),
            requested: {
              at: exampleInstant(is),
              by: is.string('registration'),
              network: is.string('198.51.100.0/24'),
              browser: is.string('Firefox on Windows'),
            },
          }),
        )
        .executeTest(async ({ url }) => {
          const answer = await ask(url);
          expect(answer).to.include({ kind: 'link', email: 'ann@example.com', link });
          expect(answer).to.include({ expiresAt: '2026-11-20T15:57:51.123456Z' });
          expect(answer).to.have.property('requested').that.includes({ by: 'registration' });
        });
    });

    it('learns that a link is no longer valid, and why', async () => {
      await pact()
        .addInteraction()
        .given('a link that was used')
        .uponReceiving('a request for the link')
        .withRequest('GET', path, (request) => request.headers(headers))
        .willRespondWith(410, (response) =>
          exampleProblem(is, response, { code: 'gone', detail: is.string('It was used already.') }),
        )
        .executeTest(async ({ url }) => {
          expect(await ask(url)).to.deep.equal({ kind: 'ended', reason: 'It was used already.' });
        });
    });

    it('reads a link again for the same delivery after a response or a process was lost', async () => {
      await pact()
        .addInteraction()
        .given('a link that was read for the delivery')
        .uponReceiving('a second request for the link')
        .withRequest('GET', path, (request) => request.headers(headers))
        .willRespondWith(200, (response) =>
          response.jsonBody({
            link: is.regex('^https?://[^ ]+[?]token=[^ ]+$', link),
            email: is.string('ann@example.com'),
            expires_at: exampleInstant(is),
          }),
        )
        .executeTest(async ({ url }) => expect(await ask(url)).to.include({ kind: 'link', link }));
    });

    it('learns that a link was read for another delivery', async () => {
      await pact()
        .addInteraction()
        .given('a link that was read for another delivery')
        .uponReceiving('a request for the link')
        .withRequest('GET', path, (request) => request.headers(headers))
        .willRespondWith(410, (response) =>
          exampleProblem(is, response, { code: 'gone', detail: is.string('It was read before.') }),
        )
        .executeTest(async ({ url }) =>
          expect(await ask(url)).to.deep.equal({ kind: 'ended', reason: 'It was read before.' }),
        );
    });

    it('learns that a link does not exist', async () => {
      await pact()
        .addInteraction()
        .uponReceiving('a request for a link that never existed')
        .withRequest('GET', `/account_links/${linkId}`, (request) => request.headers(headers))
        .willRespondWith(404, (response) =>
          exampleProblem(is, response, { code: 'not_found', detail: is.string('There is no such link.') }),
        )
        .executeTest(async ({ url }) => expect(await ask(url)).to.include({ kind: 'ended' }));
    });
  });

  describe('for events', () => {
    let harness: PactHarness;
    before(async () => {
      harness = await startPactHarness();
    });
    after(async () => await harness.stop());

    async function receives(
      type: string,
      isTrue: () => Promise<unknown>,
      more: Record<string, unknown> = {},
    ): Promise<void> {
      await expectEvent({
        pact: pact(),
        is,
        type,
        aggregateId: id,
        payload: { user_id: is.uuid(id), timestamp: exampleInstant(is), ...more },
        async receive(message) {
          await harness.publish(message);
          await waitFor(isTrue);
        },
      });
    }
    const held = async () => await harness.service.parts.directory.get(id);

    it('welcomes a created user, and adds them to the directory', async () => {
      harness.know({ id, name: 'Ann', version: 1 });
      await receives('auth.user.created', async () => (await harness.typesOf(id)).includes('user.welcome'));
      await waitFor(held);
    });

    const links = {
      'auth.account.verification_requested': 'security.verify_email',
      'auth.account.password_reset_requested': 'security.reset_password',
      'auth.account.email_change_requested': 'security.confirm_email',
      'auth.account.email_changed': 'security.email_changed',
    };
    for (const [type, notification] of Object.entries(links)) {
      it(`mails a link for ${type}`, async () => {
        harness.know({ id, name: 'Ann', version: 1 });
        const mailed = async () => await harness.mailed(id, notification);
        await receives(type, mailed, { link_id: is.uuid(linkId) });
      });
    }

    it('mails an invitation', async () => {
      const type = 'auth.account.invitation_requested';
      const payload = { link_id: is.uuid(linkId), invited_by: is.uuid(id), timestamp: exampleInstant(is) };
      await expectEvent({
        ...{ pact: pact(), is, type, aggregateId: linkId, payload },
        async receive(message) {
          await harness.publish(message);
          await waitFor(async () => await harness.mailed(null, 'security.invitation'));
        },
      });
    });

    it('notifies a user of a changed password', async () => {
      harness.know({ id, name: 'Ann', version: 1 });
      const isNotified = async () => (await harness.typesOf(id)).includes('security.password_changed');
      await receives('auth.account.password_changed', isNotified);
    });

    const actor = is.uuid('019a9d5e-a4dd-7e6f-9a7b-2b3c4d5e6f71');

    it('notifies a user of their new role', async () => {
      harness.know({ id, name: 'Ann', version: 1 });
      const isNotified = async () => (await harness.typesOf(id)).includes('security.role_changed');
      await receives('auth.account.role_changed', isNotified, { actor, role: is.string('manager') });
    });

    it('notifies an admin of a new admin', async () => {
      harness.know({ id, name: 'Ann', version: 1 });
      const isNotified = async () => (await harness.typesOf(id)).includes('security.admin_added');
      const admin_id = is.uuid('019a9d5e-a4dd-7e6f-9a7b-2b3c4d5e6f72');
      await receives('auth.account.admin_added', isNotified, { actor, admin_id });
    });

    it('notifies a user of the restoration of their account', async () => {
      harness.know({ id, name: 'Ann', version: 1 });
      const isNotified = async () => (await harness.typesOf(id)).includes('security.account_restored');
      await receives('auth.account.restored', isNotified, { actor });
    });

    it('mails the former owner of a deleted account', async () => {
      harness.know({ id, name: 'Ann', version: 1 });
      const mailed = async () => await harness.mailed(id, 'security.account_deleted');
      await receives('auth.account.deleted', mailed, { actor, restorable_until: exampleInstant(is) });
    });

    it('applies a change of a user', async () => {
      harness.know({ id, name: 'Bea', version: 2 });
      await receives('auth.user.changed', async () => (await held())?.name === 'Bea');
    });

    it('revokes access granted before the event', async () => {
      await receives('auth.account.access_ended', async () => (await held())?.tokensValidAfter);
    });

    it('revokes the access of a deleted user', async () => {
      // Auth must confirm the claim in the event
      harness.forget(id);
      await receives('auth.user.deleted', async () => (await held())?.isDeleted);
    });
  });
});
