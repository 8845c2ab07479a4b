import { randomUUIDv7 } from 'node:crypto';
import { expect } from 'chai';
import { inboxMigrations } from '@taskwire/inbox';
import { testDatabase, type TestDatabase } from '@taskwire/testing';
import type { Job } from '../src/job.ts';
import { lookUpJobs } from '../src/received-jobs.ts';

describe('deduplication lookup', () => {
  let database: TestDatabase;
  before(async () => {
    database = await testDatabase([inboxMigrations]);
  });
  after(async () => {
    await database.drop();
  });

  it('reads no more rows as the tables grow, even with a plan made for empty tables', async () => {
    const client = await database.db.pool.connect();
    const readSoFar = async (): Promise<number> => {
      const { rows } = await client.query<{ n: string }>(
        `SELECT sum(seq_tup_read + idx_tup_fetch) AS n FROM pg_stat_xact_user_tables WHERE relname IN ('inbox', 'inbox_pending')`,
      );
      return Number(rows[0]?.n);
    };
    try {
      await client.query('BEGIN');
      // often enough for PostgreSQL to choose a generic plan
      for (let i = 0; i < 10; i++) await lookUpJobs(client, someJobs(40));
      await client.query(`INSERT INTO inbox (message_id, handler) SELECT uuidv7(), 'h' FROM generate_series(1, 3000)`);
      await client.query(
        `INSERT INTO inbox_pending (message_id, handler, order_key, type, state, attempts, headers, payload)
         SELECT uuidv7(), 'h', n::text, 't', 'waiting', 0, '{}', '' FROM generate_series(1, 3000) n`,
      );
      const before = await readSoFar();
      const admissions = await lookUpJobs(client, someJobs(40));
      expect(admissions).to.have.length(40);
      expect((await readSoFar()) - before).to.be.below(100);
    } finally {
      await client.query('ROLLBACK');
      client.release();
    }
  });
});

function someJobs(count: number): Job[] {
  return Array.from({ length: count }, () => {
    const message = {
      ...{ id: randomUUIDv7(), type: 't', aggregateId: undefined, correlationId: undefined, appId: undefined },
      ...{ sentAt: undefined, provenance: undefined, transit: undefined, headers: '{}', payload: Buffer.from('{}') },
    };
    return { message, handler: 'h', orderKey: randomUUIDv7(), blocksWhenDead: false };
  });
}
