import { expect } from 'chai';
import { events } from '@taskwire/contracts';
import { createRabbit, eventQueue, serviceTopology, type Delivery, type Rabbit } from '@taskwire/rabbit';
import { createTelemetry } from '@taskwire/telemetry';
import { silent, waitFor } from '@taskwire/testing';
import { addUser, authHarness, cheapPasswords, loggedIn, password, type AuthHarness } from './support/auth-harness.ts';

type Heard = { delivery: Delivery; payload: { user_id: string; timestamp: string } };

describe('events of Auth', () => {
  let harness: AuthHarness;
  let listener: Rabbit;
  const heard: Heard[] = [];

  before(async () => {
    harness = await authHarness({}, { passwords: cheapPasswords() });
    listener = createRabbit({
      url: harness.broker.url(),
      name: 'listener',
      telemetry: createTelemetry({ service: 'listener', stream: silent() }),
      topology: serviceTopology({ service: 'tasks', bindings: ['#'] }),
    });
    listener.consume({
      queue: eventQueue('tasks'),
      prefetch: 100,
      onMessage: async (delivery) => {
        heard.push({ delivery, payload: JSON.parse(delivery.body.toString()) as Heard['payload'] });
      },
    });
    await listener.start();
    await waitFor(async () => {
      await listener.ping();
      return true;
    });
  });
  after(async () => {
    await listener.stop();
    await harness.stop();
  });

  /** Returns a user's events once the expected number has arrived. */
  async function eventsOf(id: string, count: number): Promise<Heard[]> {
    return await waitFor(() => {
      const found = heard.filter(
        ({ delivery, payload }) => delivery.routingKey.startsWith('auth.user.') && payload.user_id === id,
      );
      return found.length >= count && found;
    });
  }

  it('report registration, change and deletion in order, with the time of the version', async () => {
    const admin = await loggedIn(harness, 'admin');
    const made = await harness.api.call('register', {
      body: { email: 'rosa@example.org', password, name: 'Rosa' },
      headers: { 'x-request-id': 'request-of-rosa' },
    });
    const { id, updated_at: createdAt } = made.body as { id: string; updated_at: string };
    const one = await harness.api.call('changeUser', { token: admin.token, params: { id }, body: { role: 'manager' } });
    const two = await harness.api.call('changeUser', { token: admin.token, params: { id }, body: { role: 'member' } });
    await harness.api.call('deleteUser', { token: admin.token, params: { id } });
    const published = await eventsOf(id, 4);
    expect(published.map(({ delivery }) => delivery.routingKey)).to.deep.equal([
      'auth.user.created',
      'auth.user.changed',
      'auth.user.changed',
      'auth.user.deleted',
    ]);
    const times = published.map(({ payload }) => payload.timestamp);
    const updatedAt = [one, two].map(({ body }) => (body as { updated_at: string }).updated_at);
    expect(times.slice(0, 3)).to.deep.equal([createdAt, ...updatedAt]);
    expect(times).to.deep.equal(times.toSorted());
    for (const { delivery, payload } of published) {
      const type = delivery.routingKey;
      expect(events[type as 'auth.user.created'].strict().parse(payload)).to.deep.equal(payload);
      expect(delivery).to.include({ type, appId: 'auth', userId: 'auth', contentType: 'application/json' });
      expect(delivery.headers).to.include({ schema_version: 1, aggregate_id: id });
      expect(delivery.headers['traceparent']).to.match(/^00-[0-9a-f]{32}-[0-9a-f]{16}-\d\d$/);
    }
    expect(published[0]?.delivery.correlationId).to.equal('request-of-rosa');
  });

  it('are not published by a no-op or a refusal', async () => {
    const admin = await loggedIn(harness, 'admin');
    const user = await addUser(harness, 'member');
    const params = { id: user.id };
    const { token } = admin;
    await harness.api.call('changeUser', { token, params, body: { name: user.name } });
    await harness.api.call('changeUser', { token, params, body: { name: 'X' }, headers: { 'if-match': '"9"' } });
    await harness.api.call('changeUser', { token, params, body: { email: admin.email } });
    await harness.api.call('register', { body: { email: user.email, password, name: 'Y' } });
    await harness.api.call('login', { body: { email: user.email, password } });
    // an event of the refused requests would have been published before this one
    await harness.api.call('changeUser', { token, params, body: { name: 'Z' } });
    const published = await eventsOf(user.id, 2);
    expect(published.map(({ delivery }) => delivery.routingKey)).to.deep.equal([
      'auth.user.created',
      'auth.user.changed',
    ]);
  });

  it("contain only the user's id and a time: no names, addresses or secrets", async () => {
    const user = await loggedIn(harness, 'member');
    const [created] = await eventsOf(user.id, 1);
    expect(Object.keys(created?.payload ?? {}).toSorted()).to.deep.equal(['timestamp', 'user_id']);
  });

  it('wait while the broker is unavailable, and requests still succeed', async () => {
    const away = await harness.replica({ AMQP_URL: 'amqp://auth:auth@127.0.0.1:1/%2F', PROCESS_ROLE: 'api' });
    const made = await away.api.call('register', {
      body: { email: 'waiting@example.org', password, name: 'Waiting' },
    });
    expect(made.status).to.equal(201);
    // the first replica's relay publishes it
    await eventsOf((made.body as { id: string }).id, 1);
  });
});
