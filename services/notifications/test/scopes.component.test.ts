import { notificationsRoutes } from '@taskwire/contracts';
import { walkScopes, type TokenHolder } from '@taskwire/testing';
import { expect } from 'chai';
import { audience, type FakeUser } from './support/fake-services.ts';
import { startService, startSurroundings, type RunningService, type Surroundings } from './support/running-service.ts';

describe('Access of third-party applications to Notifications', () => {
  let around: Surroundings;
  let service: RunningService;
  let admin: FakeUser;
  before(async () => {
    around = await startSurroundings();
    service = await startService(around, { SMTP_URL: 'smtp://127.0.0.1:1', PROCESS_ROLE: 'api' });
    admin = around.others.addUser('Ada', 'admin');
  });
  after(async () => {
    await service.stop();
    await around.stop();
  });

  async function tokenOf(holder: TokenHolder): Promise<{ token: string; userId: string }> {
    const { others } = around;
    const application = 'scopes' in holder ? { application: { clientId: 'portal', scopes: holder.scopes } } : {};
    const token =
      holder.kind === 'service' ? await others.serviceToken(application) : await others.userToken(admin, application);
    return { token, userId: admin.id };
  }

  it('matches the contract for every operation and scope', async () => {
    const bodies = {
      replayNotificationsDeadLetters: { filter: {} },
      dropNotificationsDeadLetter: { reason: 'a test' },
    };
    const baseUrl = service.url;
    const { answers, faults } = await walkScopes({ baseUrl, audience, routes: notificationsRoutes, tokenOf, bodies });
    expect(answers).to.be.above(60);
    expect(faults).to.deep.equal([]);
  });

  it("with notifications:read is limited to the user's own notifications: an admin's dead letters are forbidden, and the refusal is counted", async () => {
    const { token } = await tokenOf({ kind: 'third_party', scopes: ['notifications:read'] });
    expect((await service.call('GET', '/api/v1/notifications', { token })).status).to.equal(200);
    const refused = await service.call('GET', '/api/v1/admin/dead_letters/notifications', { token });
    expect([refused.status, (refused.body as { code: string }).code]).to.deep.equal([403, 'insufficient_scope']);
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    expect(metrics).to.match(
      /^http_refusals_total\{operation="listNotificationsDeadLetters",code="insufficient_scope".*\} [1-9]/m,
    );
  });
});
