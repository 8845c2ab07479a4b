import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { testDatabase, type TestDatabase } from '@taskwire/testing';
import { standingOf } from '../src/domain/performer.ts';
import { migrations } from '../src/migrations.ts';
import { performerSql } from '../src/postgres/performer-sql.ts';

describe('Who carries out tasks', () => {
  let database: TestDatabase;
  before(async () => (database = await testDatabase(migrations)));
  after(async () => await database.drop());

  const everybody = ['member', 'manager', 'admin', 'accountant', null].flatMap((role) =>
    [true, false].flatMap((isDeleted) =>
      [true, false, null].map((emailVerified) => ({ role, isDeleted, emailVerified })),
    ),
  );

  for (const requireVerifiedEmail of [true, false]) {
    it(`is the same in SQL and in the domain, for everybody (verified addresses ${requireVerifiedEmail ? 'are' : 'are not'} required)`, async () => {
      const { performs, standing } = performerSql({ requireVerifiedEmail });
      for (const person of everybody) {
        const [row] = await query<{ performs: boolean | null; standing: string }>(
          database.db.pool,
          `SELECT ${performs('person')} AS performs, ${standing('person')} AS standing
           FROM (SELECT $1::text AS role, $2::boolean AS is_deleted, $3::boolean AS email_verified) AS person`,
          [person.role, person.isDeleted, person.emailVerified],
        );
        const what = JSON.stringify(person);
        const isHeardOfOnly = person.role === null && !person.isDeleted;
        const expected = standingOf(person, { requireVerifiedEmail });
        expect(row?.standing, what).to.equal(isHeardOfOnly ? 'unknown' : expected);
        if (!isHeardOfOnly) expect(row?.performs, what).to.equal(expected === 'performer');
        else expect(row?.performs, what).not.to.equal(true);
      }
    });
  }
});
