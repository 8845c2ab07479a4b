import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { waitFor } from '@taskwire/testing';
import { demoPerson, logIn, mailsTo, newMember, send, type CaughtMail, type Person, type Task } from './front-end.ts';
import { useSuite } from './suite.ts';

describe('An account that is deleted and restored, through the gateway', () => {
  const suite = useSuite();
  let admin: Person;
  let manager: Person;

  before(async () => {
    admin = await demoPerson(suite(), 'admin');
    manager = await demoPerson(suite(), 'manager');
  });

  const patience = { timeoutMs: 20_000 };
  const proof = () => ({ current_password: admin.password });
  const mailed = async (email: string, subject: string): Promise<CaughtMail> =>
    await waitFor(async () => (await mailsTo(suite(), email)).find((mail) => mail.subject === subject), patience);
  const inbox = async (person: Person): Promise<string[]> => {
    const { body } = await person.call('GET', '/api/v1/notifications');
    return body.data.map(({ type }: { type: string }) => type);
  };

  async function assign(title: string, to: Person): Promise<Task> {
    return await waitFor(async () => {
      const { status, body } = await manager.call<Task>('POST', '/api/v1/tasks', { title, assignee_id: to.user.id });
      return status === 201 && body;
    }, patience);
  }

  it('is unchanged in every service, except for a new password', async () => {
    const rosa = await newMember(suite(), 'Rosa');
    const before = await assign('Water the roses', rosa);
    await waitFor(async () => (await inbox(rosa)).includes('task.assigned'), patience);

    const path = `/api/v1/users/${rosa.user.id}`;
    const removed = await admin.call('DELETE', path, proof(), { 'if-match': '*' });
    expect(removed.status).to.equal(204);
    const notice = await mailed(rosa.user.email, 'Your account was deleted');
    expect(notice.text).to.match(/restore the account\. This is possible until \d{4}-\d\d-\d\d \d\d:\d\d UTC/);
    await waitFor(async () => {
      const { body } = await manager.call<Task>('GET', `/api/v1/tasks/${before.id}`);
      return body.assignee_id !== rosa.user.id;
    }, patience);

    const deleted = await admin.call('GET', `/api/v1/users?deleted=true&q=${encodeURIComponent(rosa.user.email)}`);
    expect(deleted.body.data.map(({ id }: { id: string }) => id)).to.deep.equal([rosa.user.id]);
    const restored = await admin.call('POST', `${path}/restore`, proof());
    expect(restored.status, JSON.stringify(restored.body)).to.equal(200);
    expect(restored.body).to.include({ id: rosa.user.id, email: rosa.user.email, role: 'member' });
    await mailed(rosa.user.email, 'Your account was restored');

    const { text } = await mailed(rosa.user.email, 'Set a new password');
    const token = /[?&]token=([^\s&]+)/.exec(text)?.[1];
    const password = randomUUID();
    const reset = await send(suite().url, 'POST', '/api/v1/auth/reset_password', {
      body: { token, new_password: password },
    });
    expect(reset.status).to.equal(204);
    await logIn(suite(), rosa.user.email, rosa.password).then(
      () => expect.fail('the old password still works'),
      () => undefined,
    );
    const again = await logIn(suite(), rosa.user.email, password);

    // Tasks considers the user a performer again, access is restored, and the inbox is unchanged
    const after = await assign('Prune the roses', again);
    await waitFor(async () => (await again.call('GET', `/api/v1/tasks/${after.id}`)).status === 200, patience);
    const types = await waitFor(async () => {
      const found = await inbox(again);
      return found.filter((type) => type === 'task.assigned').length === 2 && found;
    }, patience);
    expect(types).to.include('security.account_restored');
  });
});
