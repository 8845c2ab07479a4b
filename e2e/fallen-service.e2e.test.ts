import { randomUUID } from 'node:crypto';
import amqp from 'amqplib';
import { expect } from 'chai';
import pg from 'pg';
import { waitFor } from '@taskwire/testing';
import { demoPerson, mailsTo, newMember, send, type Person, type Task } from './front-end.ts';
import { serviceTokenOf } from './service-token.ts';
import { useSuite } from './suite.ts';

const patience = { timeoutMs: 30_000 };

describe('A compromised service', function () {
  this.timeout(60_000);
  const suite = useSuite();

  /** Publishes without the outbox. Returns the code with which the broker refuses, if it does. */
  async function publish(
    login: 'tasks' | 'notifications' | 'operator',
    type: string,
    payload: object,
    more: amqp.Options.Publish = {},
  ): Promise<number | undefined> {
    const connection = await amqp.connect(suite().amqpUrl(login));
    try {
      const channel = await connection.createConfirmChannel();
      const refused = new Promise<number | undefined>((resolve) =>
        channel.on('error', (error: Error & { code?: number }) => resolve(error.code)),
      );
      const headers = { schema_version: 1, aggregate_id: randomUUID() };
      const options = { type, messageId: randomUUID(), headers, persistent: true, ...more };
      channel.publish('taskwire.events', type, Buffer.from(JSON.stringify(payload)), options);
      return await Promise.race([
        channel
          .waitForConfirms()
          .then(() => undefined)
          .catch(async () => await refused),
        refused,
      ]);
    } finally {
      await connection.close();
    }
  }

  const deletionOf = (person: Person) => ({ user_id: person.user.id, timestamp: new Date().toISOString() });
  const statusOf = async (person: Person) => (await person.call('GET', '/api/v1/tasks?limit=1')).status;

  it('cannot delete a user for the others: its broker login publishes nothing but its own events', async () => {
    const ann = await newMember(suite(), 'Ann Attacked');
    for (const login of ['tasks', 'notifications'] as const) {
      expect(await publish(login, 'auth.user.deleted', deletionOf(ann))).to.equal(403);
      expect(await publish(login, 'auth.account.access_ended', deletionOf(ann))).to.equal(403);
    }
    expect(await publish('notifications', 'tasks.task.deleted', { task_uuid: randomUUID() })).to.equal(403);
    expect(await publish('tasks', 'tasks.task.deleted', {}, { userId: 'auth' })).to.equal(406);
    expect(await statusOf(ann)).to.equal(200);
  });

  it('cannot lock a user out permanently or move their tasks, even if it impersonates Auth', async () => {
    const [manager, ann] = [await demoPerson(suite(), 'manager'), await newMember(suite(), 'Ann Accused')];
    const task = await waitFor(async () => {
      const body = { title: 'Feed the cat', assignee_id: ann.user.id };
      const made = await manager.call<Task>('POST', '/api/v1/tasks', body);
      return made.status === 201 && made.body;
    }, patience);
    expect(await publish('operator', 'auth.user.deleted', deletionOf(ann), { userId: 'auth' })).to.equal(undefined);
    await waitFor(async () => (await statusOf(ann)) === 401, { timeoutMs: 3_000, what: 'the access to end' });
    await waitFor(async () => (await statusOf(ann)) === 200, { ...patience, what: 'the access to come back' });
    const read = await manager.call<Task>('GET', `/api/v1/tasks/${task.id}`);
    expect(read.body).to.deep.equal(task);
  });

  it('cannot read the links of mails that were sent, and is in the audit log when it tries', async () => {
    const rita = await newMember(suite(), 'Rita Reset');
    await send(suite().url, 'POST', '/api/v1/auth/forgot_password', { body: { email: rita.user.email } });
    const link = /http\S+\/account\/reset\?token=twl_[\w-]+/;
    const [mailed] = await waitFor(async () => {
      const found = (await mailsTo(suite(), rita.user.email)).flatMap(({ text }) => link.exec(text)?.[0] ?? []);
      return found.length > 0 && found;
    }, patience);
    const id = await linkIdOf(rita);
    const token = await serviceTokenOf(suite(), 'notifications', 'urn:taskwire:auth', 'account_links:read');
    const read = await send(suite().serviceUrl('auth'), 'GET', `/account_links/${id}`, { token });
    expect([read.status, read.body.code]).to.deep.equal([410, 'gone']);

    const admin = await demoPerson(suite(), 'admin');
    const audit = await admin.call('GET', `/api/v1/admin/audit?action=account_link.read&subject=${rita.user.id}`);
    const entries = audit.body.data.map((entry: Record<string, unknown>) => [
      entry['actor'],
      entry['outcome'],
      entry['reason'],
    ]);
    const notifications = { kind: 'client', id: 'notifications' };
    expect(entries).to.deep.include([notifications, 'success', 'reset_password']);
    expect(entries).to.deep.include([notifications, 'failure', 'read_before']);

    // the user's own link still works
    const body = { token: new URL(mailed ?? '').searchParams.get('token'), new_password: randomUUID() };
    expect((await send(suite().url, 'POST', '/api/v1/auth/reset_password', { body })).status).to.equal(204);
  });

  async function linkIdOf({ user }: Person): Promise<string> {
    const client = new pg.Client({ connectionString: suite().databaseUrl('auth') });
    await client.connect();
    try {
      const text = "SELECT id FROM account_links WHERE user_id = $1 AND purpose = 'reset_password'";
      return String((await client.query<{ id: string }>(text, [user.id])).rows[0]?.id);
    } finally {
      await client.end();
    }
  }
});
