import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { waitFor } from '@taskwire/testing';
import { tasksHarness, type TasksHarness } from './support/tasks-harness.ts';

describe('Tasks on a database whose migrations need a newer release', () => {
  let harness: TasksHarness;
  before(async () => (harness = await tasksHarness()));
  after(async () => await harness.stop());

  it('does not start, but continues to serve where it is already running', async () => {
    await query(
      harness.database.db.pool,
      `INSERT INTO schema_migrations (source, version, name, checksum, min_version) VALUES ('tasks', 9999, 'from_tomorrow', 'x', '999.0.0')`,
    );
    // a process checks this first when it starts
    const [first] = harness.service.components;
    const fault = await first?.start().catch(String);
    expect(fault).to.include('tasks/9999_from_tomorrow');
    // the service's consumers may still be connecting to the broker
    await waitFor(async () => (await fetch(`${harness.service.http.url()}/ready`)).status === 200);
  });
});
