import { expect } from 'chai';
import { notificationsRoutes, type Route } from '@taskwire/contracts';
import { eventually, serviceHarness } from './support/service-harness.ts';

describe('Unverified accounts at Notifications', () => {
  const o = serviceHarness();
  const operations = Object.values(notificationsRoutes).filter(({ access }: Route) => access.kind === 'user');

  async function statusesOf(token: string): Promise<unknown[]> {
    const answers = [];
    for (const { method, path } of operations) {
      const { status, body } = await o.service.call(method.toUpperCase(), path.replace('{id}', o.ann.id), { token });
      answers.push([status, (body as { code?: string }).code]);
    }
    return answers;
  }
  const refused = operations.map(() => [403, 'email_not_verified']);

  it('have no access, whatever their role and whether or not the directory has them', async () => {
    expect(operations).to.have.length.above(3);
    for (const role of ['member', 'admin'] as const) {
      const user = Object.assign(o.around.others.addUser('Eve', role), { emailVerified: false });
      const token = await o.around.others.userToken(user, { emailVerified: false });
      expect(await statusesOf(token), 'according to the token').to.deep.equal(refused);
      await o.service.parts.directory.readThrough(user.id);
      expect(await statusesOf(token)).to.deep.equal(refused);
    }
  });

  it('have access to their notifications once they are verified, with the same token', async () => {
    const user = Object.assign(o.around.others.addUser('Eve'), { emailVerified: false });
    const token = await o.around.others.userToken(user, { emailVerified: false });
    await o.service.parts.directory.readThrough(user.id);
    const list = async () => (await o.service.call('GET', '/api/v1/notifications', { token })).status;
    expect(await list()).to.equal(403);
    Object.assign(user, { emailVerified: true, version: 2 });
    const timestamp = new Date(Date.UTC(2026, 0, 1) + 2_000).toISOString();
    await o.around.publish('auth.user.changed', { user_id: user.id, timestamp });
    await eventually(async () => (await list()) === 200);
  });
});
