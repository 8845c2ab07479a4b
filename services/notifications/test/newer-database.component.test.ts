import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { startService, startSurroundings, type Surroundings } from './support/running-service.ts';

describe('Notifications on a database whose migrations need a newer release', () => {
  let around: Surroundings;
  before(async () => (around = await startSurroundings()));
  after(async () => await around.stop());

  it('does not start', async () => {
    // no mail is sent
    const service = await startService(around, { SMTP_URL: 'smtp://127.0.0.1:9' });
    await query(
      around.database.db.pool,
      `INSERT INTO schema_migrations (source, version, name, checksum, min_version) VALUES ('notifications', 9999, 'from_tomorrow', 'x', '999.0.0')`,
    );
    // a process checks this first when it starts
    const [first] = service.parts.components;
    const fault = await first?.start().catch(String);
    await service.stop();
    expect(fault).to.include('notifications/9999_from_tomorrow');
  });
});
