import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { migrate, query, type MigrationSource } from '@taskwire/postgres';
import { testDatabase, type TestDatabase } from '@taskwire/testing';
import { expect } from 'chai';
import { migrations } from '../src/migrations.ts';

/** The last migration of the version before the renames. */
const last = '0007';

describe('The upgrade of a database from before the renames', () => {
  let folder: string;
  let database: TestDatabase;

  before(async () => {
    const own = migrations.find(({ name }) => name === 'notifications');
    const packages = migrations.filter((source) => source !== own);
    folder = await mkdtemp(join(tmpdir(), 'migrations-'));
    for (const name of await readdir(own!.directory))
      if (name.slice(0, last.length) <= last) await cp(new URL(name, own!.directory), join(folder, name));
    const before: MigrationSource = { name: own!.name, directory: pathToFileURL(`${folder}/`) };
    database = await testDatabase([...packages, before]);
  });
  after(async () => {
    await database.drop();
    await rm(folder, { recursive: true });
  });

  it('keeps deliveries, their attempts and the messages that were handled, under the new names', async () => {
    const db = database.db.pool;
    await query(
      db,
      `WITH inserted AS (
        INSERT INTO notifications (event_id, user_id, type, facts, title, body)
        SELECT uuidv7(), uuidv7(), 'task.assigned', '{"task": null}', 'x', 'y' FROM generate_series(1, 2)
        RETURNING id
      ), planned AS (
        INSERT INTO deliveries (notification_id, channel, class, state, attempts, unknowns, due_at, claim)
        SELECT id, 'email', CASE row_number() OVER () WHEN 1 THEN 'notice' ELSE 'account' END, 'pending', 2, 1, now(), uuidv7() FROM inserted
        RETURNING id, class
      )
      INSERT INTO delivery_attempts (delivery_id, number, handed_over_at, ended_at, outcome)
      SELECT id, 1, now(), now(), CASE class WHEN 'notice' THEN 'again' ELSE 'away' END FROM planned`,
    );
    await query(db, `INSERT INTO inbox (message_id, handler) VALUES (uuidv7(), 'tell'), (uuidv7(), 'welcome')`);

    await migrate(database.url, migrations);

    const deliveries = await query(
      db,
      `SELECT delivery_policy, unknown_outcomes, outcome, lease_id IS NOT NULL AND next_attempt_at IS NOT NULL AND handed_off_at IS NOT NULL AS "isComplete"
       FROM deliveries d JOIN delivery_attempts a ON a.delivery_id = d.id ORDER BY delivery_policy`,
    );
    expect(deliveries).to.deep.equal([
      { delivery_policy: 'keep_unknown', unknown_outcomes: 1, outcome: 'retry', isComplete: true },
      { delivery_policy: 'resend_once', unknown_outcomes: 1, outcome: 'channel_unavailable', isComplete: true },
    ]);
    expect(await query(db, 'SELECT handler FROM inbox ORDER BY handler')).to.deep.equal([
      { handler: 'notify' },
      { handler: 'welcome' },
    ]);
  });
});
