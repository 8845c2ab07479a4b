import { MatchersV3 as is } from '@pact-foundation/pact';
import { expect } from 'chai';
import { createTelemetry } from '@taskwire/telemetry';
import {
  describePact,
  exampleInstant,
  exampleProblem,
  exampleToken,
  expectAuth,
  expectEvent,
  exampleUserId as id,
} from '@taskwire/pact-testing';
import { silent, waitFor } from '@taskwire/testing';
import { askForLink, authConsumer, exampleDeliveryId } from './support/auth-consumer.ts';
import { startPactHarness, type PactHarness } from './support/pact-harness.ts';

const linkId = '019a9d5e-a4dd-7e6f-9a7b-2b3c4d5e6f70';

describePact('notifications', 'auth', (pact, formPact) => {
  expectAuth({
    consumer: authConsumer('notifications', createTelemetry({ service: 'notifications', stream: silent() })),
    scopes: { 'urn:taskwire:auth': ['users:read', 'account_links:read'], 'urn:taskwire:tasks': ['tasks:read'] },
    pact,
    formPact,
    is,
  });

  describe('of links to be mailed', () => {
    const link = 'http://localhost:8080/oidc/account/verify?token=twl_x';
    const headers = { authorization: `Bearer ${exampleToken}`, 'idempotency-key': exampleDeliveryId };
    const path = is.fromProviderState('/account_links/${id}', `/account_links/${linkId}`);
    const telemetry = createTelemetry({ service: 'notifications', stream: silent() });
    const ask = async (baseUrl: string) => await askForLink(baseUrl, linkId, telemetry);

    it('reads a link with the address that it is for, and until when it works', async () => {
      await pact()
        .addInteraction()
        .given('a link that works, of somebody who registered with a browser')
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

    it('hears that a link does not work any more, and why', async () => {
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

    it('reads it again for the same delivery, when an answer or a process was lost', async () => {
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

    it('hears that a link was read for another delivery', async () => {
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

    it('hears that there is no such link', async () => {
      await pact()
        .addInteraction()
        .uponReceiving('a request for a link that never was')
        .withRequest('GET', `/account_links/${linkId}`, (request) => request.headers(headers))
        .willRespondWith(404, (response) =>
          exampleProblem(is, response, { code: 'not_found', detail: is.string('There is no such link.') }),
        )
        .executeTest(async ({ url }) => expect(await ask(url)).to.include({ kind: 'ended' }));
    });
  });

  describe('of events', () => {
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

    it('welcomes a user who was created, and takes them up', async () => {
      harness.know({ id, name: 'Ann', version: 1 });
      await receives('auth.user.created', async () => (await harness.told(id)).includes('user.welcome'));
      await waitFor(held);
    });

    const links = {
      'auth.account.verification_requested': 'security.verify_email',
      'auth.account.password_reset_requested': 'security.reset_password',
      'auth.account.email_change_requested': 'security.confirm_email',
      'auth.account.email_changed': 'security.email_changed',
    };
    for (const [type, told] of Object.entries(links)) {
      it(`mails a link for ${type}`, async () => {
        harness.know({ id, name: 'Ann', version: 1 });
        const mailed = async () => await harness.mailed(id, told);
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

    it('tells a user that their password was changed', async () => {
      harness.know({ id, name: 'Ann', version: 1 });
      const told = async () => (await harness.told(id)).includes('security.password_changed');
      await receives('auth.account.password_changed', told);
    });

    const actor = is.uuid('019a9d5e-a4dd-7e6f-9a7b-2b3c4d5e6f71');

    it('notifies a user of another role', async () => {
      harness.know({ id, name: 'Ann', version: 1 });
      const told = async () => (await harness.told(id)).includes('security.role_changed');
      await receives('auth.account.role_changed', told, { actor, role: is.string('manager') });
    });

    it('notifies an admin of another one', async () => {
      harness.know({ id, name: 'Ann', version: 1 });
      const told = async () => (await harness.told(id)).includes('security.admin_added');
      const admin_id = is.uuid('019a9d5e-a4dd-7e6f-9a7b-2b3c4d5e6f72');
      await receives('auth.account.admin_added', told, { actor, admin_id });
    });

    it('notifies a user that their account was restored', async () => {
      harness.know({ id, name: 'Ann', version: 1 });
      const told = async () => (await harness.told(id)).includes('security.account_restored');
      await receives('auth.account.restored', told, { actor });
    });

    it('mails the former owner of an account that it was deleted', async () => {
      harness.know({ id, name: 'Ann', version: 1 });
      const mailed = async () => await harness.mailed(id, 'security.account_deleted');
      await receives('auth.account.deleted', mailed, { actor, restorable_until: exampleInstant(is) });
    });

    it('takes up a change of a user', async () => {
      harness.know({ id, name: 'Bea', version: 2 });
      await receives('auth.user.changed', async () => (await held())?.name === 'Bea');
    });

    it('ends the access that a user was given before', async () => {
      await receives('auth.account.access_ended', async () => (await held())?.tokensValidAfter);
    });

    it('ends the access of a user who was deleted', async () => {
      // what the event claims, Auth has to confirm
      harness.forget(id);
      await receives('auth.user.deleted', async () => (await held())?.isDeleted);
    });
  });
});
