import { randomUUID } from 'node:crypto';
import { createRabbit, eventQueue, serviceTopology, type Delivery, type Rabbit } from '@taskwire/rabbit';
import { createTelemetry } from '@taskwire/telemetry';
import {
  toProvidedMessage,
  verifyPacts,
  type ProvidedMessage,
  exampleClientSecret as secret,
} from '@taskwire/pact-testing';
import { silent, waitFor } from '@taskwire/testing';
import {
  addUser,
  authHarness,
  cheapPasswords,
  loggedIn,
  password,
  serviceToken,
  withSecret,
  type AuthHarness,
} from './support/auth-harness.ts';

const readsUsers = { audience: 'urn:taskwire:auth', scopes: ['users:read'] };
// A pact repeats requests, but an assertion is valid only once, so the clients of the pacts have secrets. The end-to-end tests cover the services'
// own keys.
const tasks = withSecret('tasks', secret, [readsUsers]);
const readsTasks = { audience: 'urn:taskwire:tasks', scopes: ['tasks:read'] };
const readsLinks = { audience: 'urn:taskwire:auth', scopes: ['users:read', 'account_links:read'] };
const notifications = withSecret('notifications', secret, [readsLinks, readsTasks]);
const worksOnJobs = { audience: 'urn:taskwire:tasks', scopes: ['jobs:work'] };
const worker = { ...withSecret('report-worker', secret, [worksOnJobs]).settings, queues: ['reports'] };

/** The delivery for which the pact of Notifications reads links. */
const exampleDelivery = '019a9d5e-a4dd-7e6f-9a7b-2b3c4d5e6f71';

function userOf({ body }: Delivery): unknown {
  return (JSON.parse(body.toString()) as { user_id: unknown }).user_id;
}

describe('Auth as a provider', () => {
  let harness: AuthHarness;
  let listener: Rabbit;
  let admin: { id: string; token: string };
  const heard: Delivery[] = [];

  before(async () => {
    const clients = [tasks.settings, notifications.settings, worker];
    harness = await authHarness({ OIDC_CLIENTS: JSON.stringify(clients) }, { passwords: cheapPasswords() });
    listener = createRabbit({
      url: harness.broker.url(),
      name: 'listener',
      telemetry: createTelemetry({ service: 'listener', stream: silent() }),
      topology: serviceTopology({ service: 'tasks', bindings: ['#'] }),
    });
    listener.consume({
      queue: eventQueue('tasks'),
      prefetch: 100,
      onMessage: async (delivery) => void heard.push(delivery),
    });
    await listener.start();
    await waitFor(async () => {
      await listener.ping();
      return true;
    });
    admin = await loggedIn(harness, 'admin');
  });
  after(async () => {
    await listener.stop();
    await harness.stop();
  });

  async function change(id: string, body: Record<string, string>): Promise<void> {
    await harness.api.call('changeUser', { token: admin.token, params: { id }, body });
  }

  async function remove(id: string): Promise<void> {
    await harness.api.call('deleteUser', { token: admin.token, params: { id } });
  }

  /** The event about this user as the broker delivered it, after outbox, relay and AMQP. */
  async function published(type: string, id: string): Promise<ProvidedMessage> {
    const delivery = await waitFor(() =>
      heard.find((each) => each.type === type && (each.headers['aggregate_id'] === id || userOf(each) === id)),
    );
    return toProvidedMessage(delivery);
  }

  /** The id of a user's newest link, once it exists. */
  async function newestLink(userId: string, purpose = 'verify_email'): Promise<string> {
    const text = 'SELECT id FROM account_links WHERE user_id = $1 AND purpose = $2 ORDER BY id DESC LIMIT 1';
    return await waitFor(async () => {
      const { rows } = await harness.database.db.pool.query<{ id: string }>(text, [userId, purpose]);
      return rows[0]?.id;
    });
  }

  /** Notifications reads a link for a delivery. */
  async function readFor(id: string | undefined, delivery: string): Promise<void> {
    const token = await serviceToken(harness, notifications);
    const headers = { 'idempotency-key': delivery };
    const answer = await harness.api.call('getAccountLink', { token, params: { id: id ?? '' }, headers });
    if (answer.status !== 200) throw new Error(`the link cannot be read: ${answer.text}`);
  }

  /** One page contains a hundred users. */
  async function moreThanAPage(): Promise<string> {
    const { rows } = await harness.database.db.pool.query<{ count: number }>('SELECT count(*)::integer FROM users');
    for (let count = rows[0]?.count ?? 0; count < 110; count++) await addUser(harness, 'member');
    const query = { limit: '100', updated_since: '2020-01-01T00:00:00.000000Z' };
    // users are listed only once no older transaction is running
    return await waitFor(async () => {
      const page = await harness.api.call('listInternalUsers', { token: await serviceToken(harness, tasks), query });
      return (page.body as { next_cursor: string | null }).next_cursor;
    });
  }

  it('keeps its pacts', async () => {
    await verifyPacts({
      provider: 'auth',
      baseUrl: harness.api.baseUrl,
      // with every scope that a consumer may have
      token: async () => await serviceToken(harness, notifications),
      states: {
        'a user': async () => ({ id: (await addUser(harness, 'member')).id }),
        'a user whose sessions were ended': async () => {
          const { id } = await addUser(harness, 'manager');
          await change(id, { role: 'member' });
          return { id };
        },
        'a user who was deleted': async () => {
          const { id } = await addUser(harness, 'member');
          await remove(id);
          return { id };
        },
        'a user and one who was deleted': async () => {
          // reduces the number of users to one page, whatever was verified before
          for (const [table, column] of [
            ['account_links', 'user_id'],
            ['sessions', 'user_id'],
            ['users', 'id'],
          ]) {
            await harness.database.db.pool.query(`DELETE FROM ${table} WHERE ${column} <> $1`, [admin.id]);
          }
          await addUser(harness, 'member');
          await remove((await addUser(harness, 'member')).id);
          return undefined;
        },
        'more users than fit on a page': async () => ({ cursor: await moreThanAPage() }),
        'a valid link of a user who registered with a browser': async () => {
          const body = { email: `${randomUUID()}@example.org`, password, name: 'Rosa' };
          const headers = { 'user-agent': 'Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0' };
          const registered = await harness.api.call('register', { body, headers });
          return { id: await newestLink((registered.body as { id: string }).id) };
        },
        'a link that was read for the delivery': async () => {
          const id = await newestLink((await addUser(harness, 'member')).id);
          await readFor(id, exampleDelivery);
          return { id };
        },
        'a link that was read for another delivery': async () => {
          const id = await newestLink((await addUser(harness, 'member')).id);
          await readFor(id, 'another delivery');
          return { id };
        },
        'a link that was used': async () => {
          const id = await newestLink((await addUser(harness, 'member')).id);
          await harness.database.db.pool.query('UPDATE account_links SET used_at = clock_timestamp() WHERE id = $1', [
            id,
          ]);
          return { id };
        },
        'a client with the queue reports': async () => undefined,
        'tasks is a client': async () => undefined,
        'notifications is a client': async () => undefined,
      },
      messages: {
        'an event auth.account.verification_requested': async () => {
          const { id } = await addUser(harness, 'member');
          return await published('auth.account.verification_requested', await newestLink(id));
        },
        'an event auth.account.password_reset_requested': async () => {
          const { id, email } = await addUser(harness, 'member');
          await harness.api.call('forgotPassword', { body: { email } });
          return await published('auth.account.password_reset_requested', await newestLink(id, 'reset_password'));
        },
        'an event auth.account.email_change_requested': async () => {
          const { id } = await addUser(harness, 'member');
          await change(id, { email: `${randomUUID()}@example.org` });
          return await published('auth.account.email_change_requested', await newestLink(id, 'confirm_email'));
        },
        'an event auth.account.email_changed': async () => {
          const { id } = await addUser(harness, 'member');
          await change(id, { email: `${randomUUID()}@example.org` });
          const confirmation = await newestLink(id, 'confirm_email');
          const params = { id: confirmation };
          const link = await harness.api.call('getAccountLink', {
            token: await serviceToken(harness, notifications),
            params,
          });
          const token = new URL((link.body as { link: string }).link).searchParams.get('token');
          await harness.api.call('confirmEmail', { body: { token } });
          return await published('auth.account.email_changed', await newestLink(id, 'undo_email'));
        },
        'an event auth.account.invitation_requested': async () => {
          const body = { email: 'invited@example.org' };
          const { id } = (await harness.api.call('createInvitation', { token: admin.token, body })).body as {
            id: string;
          };
          return await published('auth.account.invitation_requested', id);
        },
        'an event auth.account.password_changed': async () => {
          const { id, token } = await loggedIn(harness, 'member');
          const body = { current_password: password, new_password: 'another horse battery' };
          await harness.api.call('changePassword', { token, body });
          return await published('auth.account.password_changed', id);
        },
        'an event auth.account.role_changed': async () => {
          const { id } = await addUser(harness, 'member');
          await change(id, { role: 'manager' });
          return await published('auth.account.role_changed', id);
        },
        'an event auth.account.admin_added': async () => {
          await change((await addUser(harness, 'member')).id, { role: 'admin' });
          return await published('auth.account.admin_added', admin.id);
        },
        'an event auth.account.deleted': async () => {
          const { id } = await addUser(harness, 'member');
          await remove(id);
          return await published('auth.account.deleted', id);
        },
        'an event auth.account.restored': async () => {
          const { id } = await addUser(harness, 'member');
          await remove(id);
          await harness.api.call('restoreUser', { token: admin.token, params: { id } });
          return await published('auth.account.restored', id);
        },
        'an event auth.account.access_ended': async () => {
          const { id, token } = await loggedIn(harness, 'member');
          await harness.api.call('logoutEverywhere', { token });
          return await published('auth.account.access_ended', id);
        },
        'an event auth.user.created': async () => {
          const { id } = await addUser(harness, 'member');
          return await published('auth.user.created', id);
        },
        'an event auth.user.changed': async () => {
          const { id } = await addUser(harness, 'member');
          await change(id, { name: 'Bea' });
          return await published('auth.user.changed', id);
        },
        'an event auth.user.deleted': async () => {
          const { id } = await addUser(harness, 'member');
          await remove(id);
          return await published('auth.user.deleted', id);
        },
      },
    });
  }).timeout(120_000);
});
