import { MatchersV3 as is } from '@pact-foundation/pact';
import { createTelemetry } from '@taskwire/telemetry';
import {
  describePact,
  exampleInstant,
  exampleUserId as id,
  expectAuth,
  expectEvent,
  silent,
  waitFor,
} from '@taskwire/testing';
import { authConsumer } from './support/auth-consumer.ts';
import { startListening, type Listening } from './support/listening.ts';

describePact('notifications', 'auth', (pact, formPact) => {
  expectAuth({
    consumer: authConsumer('notifications', createTelemetry({ service: 'notifications', stream: silent() })),
    scopes: { 'urn:taskwire:auth': 'users:read', 'urn:taskwire:tasks': 'tasks:read' },
    pact,
    formPact,
    is,
  });

  describe('of events', () => {
    let listening: Listening;
    before(async () => {
      listening = await startListening();
    });
    after(async () => await listening.stop());

    async function receives(type: string, isTrue: () => Promise<unknown>): Promise<void> {
      await expectEvent({
        pact: pact(),
        is,
        type,
        aggregateId: id,
        payload: { user_id: is.uuid(id), timestamp: exampleInstant(is) },
        async receive(message) {
          await listening.publish(message);
          await waitFor(isTrue);
        },
      });
    }
    const held = async () => await listening.service.parts.directory.get(id);

    it('welcomes a user who was created, and takes them up', async () => {
      listening.know({ id, name: 'Ann', version: 1 });
      await receives('auth.user.created', async () => (await listening.told(id)).includes('user.welcome'));
      await waitFor(held);
    });

    it('takes up a change of a user', async () => {
      listening.know({ id, name: 'Bea', version: 2 });
      await receives('auth.user.changed', async () => (await held())?.name === 'Bea');
    });

    it('ends the access of a user who was deleted', async () => {
      await receives('auth.user.deleted', async () => (await held())?.isDeleted);
    });
  });
});
