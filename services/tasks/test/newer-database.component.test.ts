import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { waitFor } from '@taskwire/testing';
import { tasksWorld, type TasksWorld } from './support/tasks-world.ts';

describe('Tasks on a database that is newer than it', () => {
  let world: TasksWorld;
  before(async () => (world = await tasksWorld()));
  after(async () => await world.stop());

  it('does not start, and serves on where it runs already', async () => {
    await query(
      world.database.db.pool,
      `INSERT INTO schema_migrations (source, version, name, checksum) VALUES ('tasks', 9999, 'from_tomorrow', 'x')`,
    );
    // the first thing that a process does
    const [first] = world.service.components;
    const fault = await first?.start().catch(String);
    expect(fault).to.include('tasks/9999_from_tomorrow');
    // its consumers may still be on their way to the broker
    await waitFor(async () => (await fetch(`${world.service.http.url()}/ready`)).status === 200);
  });
});
