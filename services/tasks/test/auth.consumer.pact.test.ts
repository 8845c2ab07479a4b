import { MatchersV3 as is } from '@pact-foundation/pact';
import { createRabbit, publishOnlyTopology, type Rabbit } from '@taskwire/rabbit';
import { createTelemetry } from '@taskwire/telemetry';
import {
  authConsumer,
  describePact,
  exampleToken,
  readAsConsumer,
  exampleInstant,
  expectAuth,
  expectEvent,
  exampleUserId as id,
} from '@taskwire/pact-testing';
import { silent, waitFor } from '@taskwire/testing';
import { authUsers } from '@taskwire/service';
import { expect } from 'chai';
import { createKnownQueues } from '../src/clients/known-queues.ts';
import { tasksHarness, type TasksHarness } from './support/tasks-harness.ts';

describePact('tasks', 'auth', (pact, formPact) => {
  const telemetry = createTelemetry({ service: 'tasks', stream: silent() });

  expectAuth({
    consumer: authConsumer('tasks', telemetry),
    scopes: { 'urn:taskwire:auth': ['users:read'] },
    pact,
    formPact,
    is,
  });

  it('reads the queues of registered clients', async () => {
    await pact()
      .addInteraction()
      .given('a client with the queue reports')
      .uponReceiving('a request for the queues')
      .withRequest('GET', '/queues', (request) => request.headers({ authorization: `Bearer ${exampleToken}` }))
      .willRespondWith(200, (response) => response.jsonBody({ data: is.arrayContaining('reports'), more: false }))
      .executeTest(async ({ url }) => {
        const target = authUsers({ AUTH_INTERNAL_URL: url });
        const unknown = await readAsConsumer(
          target,
          telemetry,
          async (client) => await createKnownQueues(client).unknownAmong(['reports', 'report']),
        );
        expect([...unknown]).to.deep.equal(['report']);
      });
  });

  describe('for events', () => {
    let harness: TasksHarness;
    let publisher: Rabbit;

    before(async () => {
      harness = await tasksHarness();
      publisher = createRabbit({ url: harness.amqpUrl, name: 'publisher', telemetry, topology: publishOnlyTopology });
      await publisher.start();
      // the queue is bound once the service is ready
      await waitFor(async () => (await fetch(`${harness.service.http.url()}/ready`)).ok);
    });
    after(async () => {
      await publisher.stop();
      await harness.stop();
    });

    async function receives(type: string, isTrue: () => Promise<unknown>): Promise<void> {
      await expectEvent({
        pact: pact(),
        is,
        type,
        aggregateId: id,
        payload: { user_id: is.uuid(id), timestamp: exampleInstant(is) },
        async receive(message) {
          expect(await publisher.publisher().publish(message)).to.equal('confirmed');
          await waitFor(isTrue);
        },
      });
    }
    const held = async () => await harness.service.directory.get(id);

    it('adds a created user to the directory', async () => {
      harness.auth.users.set(id, { id, name: 'Ann', role: 'member', version: 1, is_deleted: false });
      await receives('auth.user.created', held);
    });

    it('applies a change to a user', async () => {
      harness.auth.change(id, { role: 'manager' });
      await receives('auth.user.changed', async () => (await held())?.role === 'manager');
    });

    it('ends access that was granted before the event', async () => {
      const ended = async () => (await held())?.tokensValidAfter;
      await receives('auth.account.access_ended', ended);
    });

    it('ends the access of a deleted user', async () => {
      // Auth must confirm the claim in the event
      harness.auth.change(id, { is_deleted: true });
      await receives('auth.user.deleted', async () => (await held())?.isDeleted);
    });
  });
});
