import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { createTelemetry } from '@taskwire/telemetry';
import { silent, testDatabase, type TestDatabase } from '@taskwire/testing';
import { inboxMigrations } from '../src/inbox.ts';
import { inboxLimits } from '../src/limits.ts';
import { createInboxRetention } from '../src/retention.ts';

const letter = `
  INSERT INTO dead_letters (message_id, reason, error, attempts, errors, headers, payload, received_at, state, resolved_at, needs_routing)
  SELECT $1, 'refused', 'x', 1, '[]', '{}', '', now(), $2, CASE WHEN $2 <> 'dead' THEN now() - make_interval(days => $3) END, $4`;
const entry = `
  INSERT INTO dead_letter_audit (id, dead_letter_id, action, actor, message_id, at)
  SELECT uuidv7(make_interval(days => - $2::integer)), uuidv7(), 'drop', 'os:olga@desk', $1, now() - make_interval(days => $2)`;

describe('the retention of dead letters', () => {
  let test: TestDatabase;
  before(async () => {
    test = await testDatabase([inboxMigrations]);
  });
  after(async () => await test.drop());

  const run = async () => {
    const telemetry = createTelemetry({ service: 'test', stream: silent() });
    const retention = createInboxRetention({ db: test.db, periods: inboxLimits, telemetry });
    const overdue = async () =>
      (await telemetry.metrics.metrics()).split('\n').filter((line) => line.startsWith('retention_overdue_seconds'));
    while ((await retention.tick()) === 'more');
    return await overdue();
  };
  const left = async (table: string) =>
    (await query<{ id: string }>(test.db.pool, `SELECT message_id AS id FROM ${table} ORDER BY 1`)).map(({ id }) => id);

  it('deletes those resolved 90 days ago, but neither open ones nor replayed messages that await a handler', async () => {
    const letters: [string, string, number, boolean][] = [
      ['dropped, old', 'dropped', 91, false],
      ['dropped, young', 'dropped', 89, false],
      ['open', 'dead', 500, false],
      ['replayed, awaits a handler', 'replayed', 91, true],
      ['replayed, old', 'replayed', 91, false],
    ];
    for (const values of letters) await query(test.db.pool, letter, values);
    const overdue = await run();
    expect(await left('dead_letters')).to.deep.equal(['dropped, young', 'open', 'replayed, awaits a handler']);
    expect(overdue).to.have.length(3);
    for (const line of overdue) expect(line).to.match(/ 0$/);
  });

  it('deletes entries of the audit after 400 days, and no other statement may', async () => {
    await query(test.db.pool, entry, ['old', 401]);
    await query(test.db.pool, entry, ['young', 399]);
    await run();
    expect(await left('dead_letter_audit')).to.deep.equal(['young']);
    for (const change of ['DELETE FROM dead_letter_audit', "UPDATE dead_letter_audit SET actor = ''"]) {
      const refused: unknown = await query(test.db.pool, change).catch((error: unknown) => error);
      expect(String(refused), change).to.include('append-only');
    }
  });
});
