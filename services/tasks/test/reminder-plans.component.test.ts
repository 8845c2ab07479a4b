import { query } from '@taskwire/postgres';
import { testDatabase, type TestDatabase } from '@taskwire/testing';
import { expect } from 'chai';
import { migrations } from '../src/migrations.ts';
import { readDueReminders } from '../src/postgres/reminders.ts';

const tasks = 5_000;

describe('The statement that reads due reminders', () => {
  let database: TestDatabase;
  before(async () => {
    database = await testDatabase(migrations);
    // statistics of tables without rows, as after a quiet time
    await query(database.db.pool, 'ANALYZE');
    await query(
      database.db.pool,
      `INSERT INTO tasks (title, description, priority, labels, creator_id, state, due_at, created_at, updated_at)
       SELECT 'Water the plants', '', 'normal', '{}', gen_random_uuid(), 'draft', now() + interval '1 day', now(), now()
       FROM generate_series(1, $1::integer)`,
      [tasks],
    );
    await query(database.db.pool, `UPDATE task_reminders SET remind_at = now() WHERE kind = 'overdue'`);
  });
  after(async () => await database.drop());

  async function planOf(text: string): Promise<string> {
    const ids = (await query<{ id: string }>(database.db.pool, 'SELECT id FROM tasks LIMIT 100')).map(({ id }) => id);
    const plan = await query<Record<string, string>>(database.db.pool, `EXPLAIN ${text}`, [ids]);
    return plan.map((row) => row['QUERY PLAN']).join('\n');
  }

  it('finds the reminders of a task by its id, even if a backlog has accumulated since the last statistics', async () => {
    expect(await planOf(readDueReminders.text))
      .include('task_reminders_pkey')
      .not.include('task_reminders_armed');
  });

  it('would read all armed reminders for each task if it named their state (canary)', async () => {
    const named = readDueReminders.text.replace('reminder.settled_at IS NULL', `reminder.state = 'armed'`);
    expect(await planOf(named)).include('task_reminders_armed');
  });
});
